# The image of mocksrv: one static binary and the public CA certificates. Docker 25 or later builds it.
#
#   docker build -t mocksrv .
#   docker build -t mocksrv --platform linux/arm64 --build-arg VERSION=v1.2.3 .
#
# The same sources, VERSION and Go give the same binary, wherever it is built.
FROM --platform=$BUILDPLATFORM golang:1.26 AS certificates

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
# Where modules come from, for networks that need to say so.
ARG GOPROXY GONOPROXY GONOSUMDB GOSUMDB GOPRIVATE
COPY . .
ARG VERSION=devel TARGETOS TARGETARCH TARGETPLATFORM
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=$VERSION" -o "/$TARGETPLATFORM/mocksrv" ./cmd/mocksrv

FROM scratch
ARG VERSION=devel TARGETPLATFORM
LABEL org.opencontainers.image.title="mocksrv" \
      org.opencontainers.image.description="A webhook provider in a box: simulates the webhook APIs of five providers" \
      org.opencontainers.image.source="https://github.com/mocksrv/mocksrv" \
      org.opencontainers.image.documentation="https://github.com/mocksrv/mocksrv/blob/main/docs/guide-container.md" \
      org.opencontainers.image.version="$VERSION"
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /$TARGETPLATFORM/mocksrv /
USER 65532:65532
# Belongs to the user: a volume here keeps the development CA.
WORKDIR /data
# healthcheck reads MOCKSRV_LISTEN, too. --listen on the command line is known to the server only.
ENV MOCKSRV_LISTEN=0.0.0.0:8080
# So that `docker exec … mocksrv doctor URL` finds the binary.
ENV PATH=/
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --start-interval=50ms CMD ["/mocksrv", "healthcheck"]
ENTRYPOINT ["/mocksrv"]
CMD ["serve"]
