import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';

/*
 * Really asks: `attempt.mjs PROTOCOL TO PORT FROM PATIENCE` prints `connected`, or the name of the error that
 * a program sees; silence is ETIMEDOUT. With a last argument `hold` it stays connected.
 */

const [protocol, to = '', port = '', from, patience, hold] = process.argv.slice(2);

/** @param {string} what */
function tell(what) {
  process.stdout.write(`${what}\n`);
  if (hold && what === 'connected') return;
  process.exit();
}

setTimeout(() => tell('ETIMEDOUT'), Number(patience)).unref();
const local = from ? { localAddress: from } : {};
if (protocol === 'tcp') {
  connect({ host: to, port: Number(port), ...local })
    .on('connect', () => tell('connected'))
    .on('error', (error) => tell(/** @type {NodeJS.ErrnoException} */ (error).code ?? ''));
} else {
  const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4');
  socket.on('message', () => tell('connected'));
  socket.on('error', (error) => tell(/** @type {NodeJS.ErrnoException} */ (error).code ?? ''));
  socket.bind({ ...(from ? { address: from } : {}) }, () =>
    socket.connect(Number(port), to, () => socket.send('?')),
  );
}
// A socket that waits for its answer keeps nothing alive by itself.
setTimeout(() => {}, hold ? 60_000 : Number(patience) + 500);
