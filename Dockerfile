# The todo server, or with other names your own: no shell, no package manager, not root.
#
#   docker build --tag todo .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#     --volume todo-data:/data --volume ./policy.toml:/etc/todo/policy.toml:ro \
#     --env-file .env --env MCP_URL=https://mcp.example.com/mcp --publish 3002:3002 todo
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package scopeward --bin todo && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/todo /usr/bin/todo
# A new volume takes over who owns this folder.
COPY --from=build --chown=nonroot:nonroot /data /data
ENV SCOPEWARD_POLICY=/etc/todo/policy.toml SCOPEWARD_DATA=/data HOST=0.0.0.0 PORT=3002
VOLUME /data
EXPOSE 3002
USER nonroot
ENTRYPOINT ["/usr/bin/todo"]
