/* Firewalls that people run, as they set them up. Each script runs in a mount namespace of its own. */

/** Three ports are spoken of: two are denied, one is allowed; and one is watched for too many who knock. */
export const ufw = `
own /etc/ufw
cp /etc/default/ufw "$D/ufw"; mount --bind "$D/ufw" /etc/default/ufw
ufw --force enable
ufw allow 9000/tcp
ufw deny 9001/tcp
ufw reject 9002
ufw limit 9003/tcp
ufw allow from 192.0.2.0/24 to any port 9004 proto udp
ufw deny 8080/tcp
`;

/** A container whose port 80 is the host's 8080, with a web server that says where it is. */
export const docker = `
mkdir -p "$D/data" "$D/exec" "$D/image/bin" "$D/image/www"
cp /bin/busybox "$D/image/bin/busybox"
echo container > "$D/image/www/index.html"
tar -C "$D/image" -cf "$D/image.tar" .
export DOCKER_HOST="unix://$D/docker.sock"
dockerd --data-root "$D/data" --exec-root "$D/exec" --host "$DOCKER_HOST" \\
  --pidfile "$D/docker.pid" --storage-driver vfs > "$D/log" 2>&1 &
tries=0
until docker version > /dev/null 2>&1; do
  tries=$((tries + 1))
  if [ $tries -gt 300 ]; then cat "$D/log"; exit 1; fi
  sleep 0.1
done
docker import "$D/image.tar" box
docker run --detach --name web --publish 8080:80 box /bin/busybox httpd -f -p 80 -h /www
`;

export const stopDocker = `
docker rm --force web
kill "$(cat "$D/docker.pid")"
wait
rmdir /sys/fs/cgroup/docker /sys/fs/cgroup/*/docker 2> /dev/null
`;
