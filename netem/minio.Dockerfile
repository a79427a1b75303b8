# MinIO in the shape of the published image as far as netem/compose.yaml uses it, for where no image can be pulled. Built from a
# folder that ci/compose.sh fills with the program that ci/go-tools.sh built.
FROM scratch
COPY minio /usr/bin/minio
ENTRYPOINT ["/usr/bin/minio"]
