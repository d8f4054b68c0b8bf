# The gateway as one static binary that runs as nobody in particular.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /walkergate ./cmd/walkergate \
 && mkdir /image-data /image-tmp

FROM scratch
# Roots for outgoing TLS, zones for what names a time zone, room for uploads.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build --chmod=1777 /image-tmp /tmp
COPY --from=build --chown=65532:65532 --chmod=700 /image-data /data
COPY --from=build /walkergate /walkergate
USER 65532:65532
# Inside a container localhost is the container alone.
ENV HOST=0.0.0.0 DATA_DIR=/data
EXPOSE 8000
VOLUME /data
ENTRYPOINT ["/walkergate"]
