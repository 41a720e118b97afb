/* Programs of a project that has earshot installed. */

/** Reads this process's own listener through the package, imported as `how` says. */
const readOwnListener = (how: string) => `
  const { createServer } = process.getBuiltinModule('node:net');
  ${how}
  const server = createServer().listen(0, '127.0.0.1', async () => {
    const { port } = server.address();
    const same = (found) => found.map((socket) => [socket.local.address, socket.local.port, socket.owners?.[0]?.pid === process.pid]);
    const filter = { protocol: 'tcp', localPort: port };
    console.log(JSON.stringify([same(earshot.listenersSync(filter)), same(await earshot.listeners(filter))]));
    server.close();
  });
`;
export const imports = {
  'listener.mjs': readOwnListener("import * as earshot from 'earshot';"),
  'listener.cjs': readOwnListener("const earshot = require('earshot');"),
};

/** Imports the package, then prints the code and message of what each way of reading throws. */
export const tellErrors = (before: string) => `
  ${before}
  const { listenersSync, listeners, capture } = await import('earshot');
  const tell = async (read) => {
    try {
      await read();
      console.log('nothing thrown');
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    }
  };
  await tell(() => listenersSync());
  await tell(() => listeners());
  await tell(() => capture());
`;
