import { plain, type Scene } from '../scene.js';

const network = {
  name: 'podman',
  id: '2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9',
  driver: 'bridge',
  network_interface: 'podman0',
  subnets: [{ subnet: '10.88.0.0/16', gateway: '10.88.0.1' }],
  ipv6_enabled: false,
  internal: false,
  dns_enabled: false,
  ipam_options: { driver: 'host-local' },
};

/** What Podman asks of netavark for a container whose port 80 is the host's 8080. */
const request = {
  container_id: '0123456789abcdef',
  container_name: 'web',
  port_mappings: [
    { host_ip: '', container_port: 80, host_port: 8080, range: 1, protocol: 'tcp' },
    { host_ip: '', container_port: 90, host_port: 8090, range: 2, protocol: 'udp' },
  ],
  networks: { podman: { static_ips: ['10.88.0.2'], interface_name: 'eth0' } },
  network_info: { podman: network },
};

export const netavark: Scene = {
  name: 'netavark',
  tools: ['/usr/lib/podman/netavark', 'busybox'],
  ...plain,
  start: `
mkdir -p "$D/www" "$D/netavark"
echo container > "$D/www/index.html"
unshare --net sleep infinity & container=$!
until_true sh -c "[ /proc/$container/ns/net -ef /proc/self/ns/net ] && exit 1 || exit 0"
cat > "$D/request.json" <<'FILE'
${JSON.stringify(request)}
FILE
/usr/lib/podman/netavark --config "$D/netavark" --file "$D/request.json" setup /proc/$container/ns/net
nsenter --net=/proc/$container/ns/net busybox httpd -f -p 80 -h "$D/www" & web=$!
`,
  stop: `
/usr/lib/podman/netavark --config "$D/netavark" --file "$D/request.json" teardown /proc/$container/ns/net
kill $web $container; wait
`,
};
