import { plain, type Scene } from '../scene.js';

const jail = (name: string, lines: string): string => `
[${name}]
enabled = true
filter = sshd
backend = polling
logpath = $D/auth.log
${lines}`;

/** Three ways to keep somebody out: a chain for some ports, a set, and a chain for all ports. */
export const fail2ban: Scene = {
  name: 'fail2ban',
  tools: ['fail2ban-server', 'fail2ban-client', 'ipset'],
  ...plain,
  start: `
own /etc/fail2ban
rm -f /etc/fail2ban/jail.d/*
mkdir -p /run/fail2ban
touch "$D/auth.log"
cat > /etc/fail2ban/fail2ban.local <<FILE
[Definition]
dbfile = None
socket = /run/fail2ban/socket
logtarget = $D/log
allowipv6 = yes
FILE
cat > /etc/fail2ban/jail.local <<FILE
${jail('web', 'banaction = iptables-multiport\nport = 9000,9001\nprotocol = tcp')}
${jail('names', 'banaction = iptables-ipset-proto6\nport = 9002\nprotocol = udp')}
${jail('all', 'banaction = iptables-allports[blocktype=DROP]')}
FILE
fail2ban() { fail2ban-client -s /run/fail2ban/socket "$@"; }
fail2ban-server -b -s /run/fail2ban/socket -p /run/fail2ban/pid
until_true fail2ban ping
fail2ban set web banip 192.0.2.10 2001:db8::10
fail2ban set names banip 192.0.2.10 2001:db8:1::10
fail2ban set all banip 198.51.100.10
until_true sh -c 'iptables-save | grep -q 198.51.100.10'
until_true sh -c 'ipset list f2b-names6 | grep -q 2001:db8:1::10'
`,
  stop: 'fail2ban stop',
};
