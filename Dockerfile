# The image of Parley. TypeScript runs as it is, so that nothing is built: the packages are installed apart, only so that
# npm's cache stays out of the image.
FROM node:24.21.0-trixie-slim AS base
WORKDIR /parley

FROM base AS packages
COPY package.json package-lock.json ./
# No package that runs in production needs a script of its own to be installed.
RUN npm ci --omit=dev --ignore-scripts

FROM base
# Listens on all addresses of the container. The embedded database, without DATABASE_URL, lies in /data.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 DATA_DIR=/data
RUN install --directory --owner=node --group=node /data
COPY --from=packages /parley/node_modules node_modules
COPY package.json ./
COPY config config
COPY migrations migrations
COPY src src
USER node
EXPOSE 4000
# Alive is whoever answers at all; whether it can serve is what /ready says.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health').then(() => process.exit(0), () => process.exit(1))"]
# Without a shell or npm in between, node itself gets SIGTERM. As it then also is process 1, run the container with an init
# (docker run --init; docker-compose.yml does), which ends what readers of documents might leave behind.
CMD ["node", "src/start.js"]
