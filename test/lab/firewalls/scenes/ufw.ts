import { plain, type Scene } from '../scene.js';

/** Ports are denied, refused and allowed; and one is watched for too many who knock. */
export const startUfw = `
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

export const ufw: Scene = { name: 'ufw', tools: ['ufw'], ...plain, start: startUfw };
