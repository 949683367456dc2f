# The production image of PetSage API:
#   docker build --build-arg GIT_REVISION="$(git rev-parse HEAD)" --tag petsage-api:1.0.0 .
#   docker run --rm --read-only --publish 8000:8000 petsage-api:1.0.0

# The base image of all stages. Renovate updates the digest.
ARG NODE_IMAGE=node:24-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6

# Compiles the sources of the service and the smoke runner, and copies the assets of nest-cli.json.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY packages packages
RUN npm ci --ignore-scripts
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

# Installs the production dependencies of both, without files that only development reads: source maps, type declarations,
# the modules of Swagger UI for bundlers, and devDependencies that npm installs because a production package could
# use them, such as TypeScript for the compiler plugin of @nestjs/swagger.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY packages/smoke-runner/package.json packages/smoke-runner/
RUN npm ci --omit=dev --ignore-scripts --workspace petsage-smoke --include-workspace-root
RUN find node_modules -type f \( -name '*[jst]s.map' -o -name '*.d.ts' -o -name '*.d.[cm]ts' \) -delete \
  && rm -rf node_modules/swagger-ui-dist/swagger-ui-es-* \
  && node -e "const { packages } = require('./package-lock.json'); \
    for (const name in require('./package.json').devDependencies) \
    if (packages['node_modules/' + name].devOptional) fs.rmSync('node_modules/' + name, { recursive: true })" \
  && rm package-lock.json

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
# The files belong to root, so the process cannot modify them.
COPY --from=dependencies /app ./
COPY --from=build /app/dist dist
COPY --from=build /app/packages/smoke-runner/dist packages/smoke-runner/dist
# The user `node`, as a number: Kubernetes verifies runAsNonRoot only for numeric users.
USER 1000:1000
EXPOSE 8000
# An overloaded process responds late: the liveness probe in deploy/kubernetes has the same limits.
HEALTHCHECK --interval=10s --timeout=10s --retries=6 --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.MANAGEMENT_PORT || process.env.PORT || 8000}/system/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without a shell or npm as parent, SIGTERM reaches the process and starts a graceful shutdown.
CMD ["node", "dist/main.js"]
# Last, because it changes with each commit and invalidates the layers that follow.
ARG GIT_REVISION=unknown
ENV GIT_REVISION=${GIT_REVISION}
LABEL org.opencontainers.image.title="petsage-api" \
      org.opencontainers.image.description="The official backend API for the PetSage platform." \
      org.opencontainers.image.vendor="PetSage" \
      org.opencontainers.image.url="https://petsage.io" \
      org.opencontainers.image.version="1.0.0" \
      org.opencontainers.image.revision="${GIT_REVISION}"
