import { plain, type Scene } from '../scene.js';

/** A zone with an open port, rich rules and a forwarded port, by the backend that is iptables. */
export const firewalld: Scene = {
  name: 'firewalld',
  tools: ['firewalld', 'firewall-cmd', 'firewall-offline-cmd', 'dbus-daemon', 'ipset'],
  ...plain,
  start: `
mkdir -p "$D/logs" /run/dbus; mount --bind "$D/logs" /var/log
own /etc/firewalld
sed -i 's/^FirewallBackend=.*/FirewallBackend=iptables/' /etc/firewalld/firewalld.conf
dbus-daemon --system --fork --nopidfile
firewall-offline-cmd --new-ipset=friends --type=hash:net
firewall-offline-cmd --ipset=friends --add-entry=198.51.100.0/28
firewall-offline-cmd --zone=public --add-port=9000/tcp
firewall-offline-cmd --zone=public \\
  --add-rich-rule='rule family=ipv4 source address=192.0.2.0/24 port port=9001 protocol=udp accept'
firewall-offline-cmd --zone=public \\
  --add-rich-rule='rule family=ipv4 source ipset=friends port port=9003 protocol=tcp accept'
firewall-offline-cmd --zone=public --add-rich-rule='rule port port=9002 protocol=tcp reject'
firewall-offline-cmd --zone=public --add-rich-rule='rule port port=9002 protocol=udp drop'
firewall-offline-cmd --zone=public --add-forward-port=port=9009:proto=tcp:toport=9000
firewalld --nofork --nopid > "$D/log" 2>&1 &
daemon=$!
until_true firewall-cmd --state
`,
  stop: 'kill $daemon; wait $daemon',
};
