-- A subject is somebody only at its issuer. Until now there was the embedded one.
UPDATE todos SET owner = 'embedded ' || owner;
