# PetSage API, as it is shipped:
#   docker build --build-arg GIT_REVISION="$(git rev-parse HEAD)" --tag petsage-api:1.0.0 .
#   docker run --rm --read-only --publish 8000:8000 petsage-api:1.0.0

# What is built, with all that building needs.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY schematics schematics
RUN npm ci --ignore-scripts
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY scripts/bundle.js scripts/
COPY src src
RUN npm run build

# What it needs when it runs, and nothing else.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY schematics schematics
RUN npm ci --ignore-scripts --omit=dev --omit=optional --omit=peer

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
# All of it belongs to root: the process can read itself, and change nothing.
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# Kubernetes knows by the number alone that it is not root: this is the image's user `node`.
USER 1000:1000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8000}/system/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No shell and no npm in between: SIGTERM reaches the process, which drains.
CMD ["node", "dist/main.js"]
# Last, since each commit has another one.
ARG GIT_REVISION=unknown
ENV GIT_REVISION=${GIT_REVISION}
LABEL org.opencontainers.image.title="petsage-api" \
      org.opencontainers.image.description="The official backend API for the PetSage platform." \
      org.opencontainers.image.vendor="PetSage" \
      org.opencontainers.image.url="https://petsage.io" \
      org.opencontainers.image.version="1.0.0" \
      org.opencontainers.image.revision="${GIT_REVISION}"
