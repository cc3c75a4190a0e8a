# An image of the todo server that has no shell and no package manager and does not run as root. For
# your own server, change the package and the binary.
#
#   docker build --tag todo .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     --volume todo-data:/data --volume ./policy.toml:/etc/todo/policy.toml:ro \
#     --env-file .env --env MCP_URL=https://mcp.example.com/mcp --publish 3002:3002 todo
# Base images are pinned by the digest of their multi-platform index, because a tag can be moved.
FROM rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
RUN apt-get update && apt-get install --yes --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package todo --bin todo && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build /source/target/release/todo /usr/bin/todo
# A new volume gets the owner of this folder, so that the server can write to the volume.
COPY --from=build --chown=nonroot:nonroot /data /data
# The monitor is for the container's network. Do not publish its port: it has no password.
ENV MONITOR=0.0.0.0:9464
ENV SCOPEWARD_POLICY=/etc/todo/policy.toml SCOPEWARD_DATA=/data HOST=0.0.0.0 PORT=3002
VOLUME /data
EXPOSE 3002
USER nonroot
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/bin/todo", "health"]
ENTRYPOINT ["/usr/bin/todo"]
