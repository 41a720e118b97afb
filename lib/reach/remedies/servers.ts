/*
 * Servers that people start by hand or keep running, and how each is told where to listen. One line
 * for each: how it is known by its command line, and the option, argument, variable or setting. As
 * their manuals have it.
 */

/** How a server is told where to listen. */
export type Told =
  /** An option whose value is the address: the first of the names is written where none is there yet. */
  | { readonly by: 'option'; readonly names: readonly string[]; readonly joined?: true }
  /** An option whose value is ADDRESS:PORT. */
  | {
      readonly by: 'endpoint';
      readonly names: readonly string[];
      readonly joined?: true;
      readonly prefix?: string;
    }
  /** An argument after a word, ADDRESS:PORT or a port alone: `manage.py runserver 0.0.0.0:8000`. */
  | { readonly by: 'argument'; readonly after: string }
  /** A variable of its environment. */
  | { readonly by: 'variable'; readonly name: string; readonly withPort?: true }
  /** A setting in a file; the command line says nothing of it. */
  | { readonly by: 'file'; readonly setting: string; readonly file: string };

/** A server and how its command line is known. */
export interface KnownServer {
  readonly name: string;
  /**
   * Words that are there in this order, each the name of a program or script (without its directory
   * and an ending such as .js), or an argument as it is; `a|b` is either.
   */
  readonly words: readonly string[];
  readonly told: Told;
}

const option = (...names: string[]): Told => ({ by: 'option', names });
const joined = (...names: string[]): Told => ({ by: 'option', names, joined: true });
const endpoint = (...names: string[]): Told => ({ by: 'endpoint', names });
const file = (setting: string, path: string): Told => ({ by: 'file', setting, file: path });

/** The more words, the earlier: what fits first counts. */
export const knownServers: readonly KnownServer[] = [
  // ---- of JavaScript
  { name: 'vite', words: ['vite'], told: option('--host') },
  { name: 'next', words: ['next', 'dev|start'], told: option('-H', '--hostname') },
  { name: 'next', words: ['next-server'], told: file('-H', "the command line of 'next'") },
  { name: 'nuxt', words: ['nuxt|nuxi', 'dev|preview'], told: option('--host') },
  { name: 'astro', words: ['astro', 'dev|preview'], told: option('--host') },
  {
    name: 'webpack-dev-server',
    words: ['webpack-dev-server|webpack-cli|webpack', 'serve|server'],
    told: option('--host'),
  },
  { name: 'webpack-dev-server', words: ['webpack-dev-server'], told: option('--host') },
  { name: 'ng', words: ['ng', 'serve|dev'], told: option('--host') },
  {
    name: 'vue-cli-service',
    words: ['vue-cli-service', 'serve'],
    told: option('--host'),
  },
  {
    name: 'react-scripts',
    words: ['react-scripts|start', 'start'],
    told: { by: 'variable', name: 'HOST' },
  },
  { name: 'gatsby', words: ['gatsby', 'develop|serve'], told: option('-H', '--host') },
  { name: 'storybook', words: ['storybook|start-storybook', 'dev'], told: option('-h', '--host') },
  { name: 'parcel', words: ['parcel'], told: option('--host') },
  { name: 'wrangler', words: ['wrangler', 'dev'], told: option('--ip') },
  { name: 'http-server', words: ['http-server'], told: option('-a') },
  { name: 'json-server', words: ['json-server'], told: option('--host', '-h', '-H') },
  { name: 'live-server', words: ['live-server'], told: joined('--host') },
  {
    name: 'serve',
    words: ['serve'],
    told: { by: 'endpoint', names: ['-l', '--listen'], prefix: 'tcp://' },
  },
  { name: 'code-server', words: ['code-server'], told: endpoint('--bind-addr') },
  {
    name: 'the inspector of node',
    words: ['node', '--inspect|--inspect-brk|--inspect-wait'],
    told: { by: 'endpoint', names: ['--inspect', '--inspect-brk', '--inspect-wait'], joined: true },
  },
  // ---- of Python
  {
    name: 'http.server',
    words: ['python', '-m', 'http.server'],
    told: option('--bind', '-b'),
  },
  {
    name: 'django',
    words: ['manage|django-admin', 'runserver'],
    told: { by: 'argument', after: 'runserver' },
  },
  { name: 'flask', words: ['flask', 'run'], told: option('--host', '-h') },
  {
    name: 'jupyter',
    words: ['jupyter', 'lab|notebook|server'],
    told: joined('--ip', '--ServerApp.ip', '--NotebookApp.ip'),
  },
  {
    name: 'jupyter',
    words: ['jupyter-lab|jupyter-notebook|jupyter-server'],
    told: joined('--ip', '--ServerApp.ip', '--NotebookApp.ip'),
  },
  { name: 'uvicorn', words: ['uvicorn'], told: option('--host') },
  { name: 'fastapi', words: ['fastapi', 'dev|run'], told: option('--host') },
  { name: 'hypercorn', words: ['hypercorn'], told: endpoint('-b', '--bind') },
  { name: 'gunicorn', words: ['gunicorn:'], told: file('bind', 'gunicorn.conf.py, or with -b') },
  { name: 'gunicorn', words: ['gunicorn'], told: endpoint('-b', '--bind') },
  { name: 'waitress', words: ['waitress-serve'], told: joined('--host') },
  { name: 'streamlit', words: ['streamlit', 'run'], told: option('--server.address') },
  { name: 'tensorboard', words: ['tensorboard'], told: option('--host') },
  { name: 'mkdocs', words: ['mkdocs', 'serve'], told: endpoint('-a', '--dev-addr') },
  // ---- of Ruby, PHP, Go and others
  { name: 'rails', words: ['rails', 'server|s'], told: option('-b', '--binding') },
  { name: 'puma', words: ['puma'], told: file('bind', 'config/puma.rb, or with -b') },
  { name: 'jekyll', words: ['jekyll', 'serve|server|s'], told: option('-H', '--host') },
  { name: 'php', words: ['php', '-S'], told: endpoint('-S') },
  {
    name: 'artisan',
    words: ['php', 'artisan', 'serve'],
    told: joined('--host'),
  },
  { name: 'hugo', words: ['hugo', 'server|serve'], told: option('--bind') },
  { name: 'kubectl', words: ['kubectl', 'port-forward|proxy'], told: option('--address') },
  {
    name: 'ollama',
    words: ['ollama', 'serve'],
    told: { by: 'variable', name: 'OLLAMA_HOST', withPort: true },
  },
  // ---- that keep data
  { name: 'redis', words: ['redis-server|valkey-server'], told: file('bind', 'redis.conf') },
  {
    name: 'postgres',
    words: ['postgres|postmaster|postgres:'],
    told: file('listen_addresses', 'postgresql.conf'),
  },
  {
    name: 'mysql',
    words: ['mysqld|mariadbd|mysqld_safe'],
    told: file('bind-address', 'the section [mysqld] of my.cnf'),
  },
  { name: 'mongodb', words: ['mongod|mongos'], told: file('net.bindIp', 'mongod.conf') },
  { name: 'memcached', words: ['memcached'], told: option('-l', '--listen') },
  {
    name: 'elasticsearch',
    words: ['org.elasticsearch.bootstrap.Elasticsearch|org.elasticsearch.server'],
    told: file('network.host', 'elasticsearch.yml'),
  },
  { name: 'rabbitmq', words: ['beam.smp'], told: file('listeners.tcp.default', 'rabbitmq.conf') },
  // ---- that run with the system
  { name: 'sshd', words: ['sshd|sshd:'], told: file('ListenAddress', '/etc/ssh/sshd_config') },
  { name: 'nginx', words: ['nginx|nginx:'], told: file('listen', 'nginx.conf') },
  { name: 'apache', words: ['apache2|httpd'], told: file('Listen', 'ports.conf or httpd.conf') },
  { name: 'caddy', words: ['caddy'], told: file('bind', 'the Caddyfile') },
  { name: 'haproxy', words: ['haproxy'], told: file('bind', 'haproxy.cfg') },
  { name: 'cupsd', words: ['cupsd'], told: file('Listen', '/etc/cups/cupsd.conf') },
  { name: 'dnsmasq', words: ['dnsmasq'], told: file('listen-address', 'dnsmasq.conf') },
  { name: 'named', words: ['named'], told: file('listen-on', 'named.conf') },
  {
    name: 'systemd',
    words: ['systemd|init'],
    told: file('ListenStream', 'the socket unit (systemctl edit)'),
  },
];
