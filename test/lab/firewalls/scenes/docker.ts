import { plain, type Scene } from '../scene.js';
import { startUfw } from './ufw.js';

/** A container whose port 80 is the host's 8080, with a web server that says where it is. */
const start = `
mkdir -p "$D/data" "$D/exec" "$D/image/bin" "$D/image/www"
cp /bin/busybox "$D/image/bin/busybox"
echo container > "$D/image/www/index.html"
tar -C "$D/image" -cf "$D/image.tar" .
export DOCKER_HOST="unix://$D/docker.sock"
dockerd --data-root "$D/data" --exec-root "$D/exec" --host "$DOCKER_HOST" \\
  --pidfile "$D/docker.pid" --storage-driver vfs > "$D/log" 2>&1 &
until_true docker version
docker import "$D/image.tar" box
docker run --detach --name web --publish 8080:80 box /bin/busybox httpd -f -p 80 -h /www
`;

const stop = `
docker rm --force web
kill "$(cat "$D/docker.pid")"
wait
rmdir /sys/fs/cgroup/docker /sys/fs/cgroup/*/docker 2> /dev/null
`;

/** ufw denies what Docker publishes. */
export const ufwAndDocker: Scene = {
  name: 'ufw-docker',
  tools: ['ufw', 'dockerd', 'docker', 'busybox'],
  ...plain,
  start: `${startUfw}${start}`,
  stop,
};
