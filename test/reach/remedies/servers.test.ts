import test from 'ava';
import { listeningOn } from '#earshot/reach/remedies/server-command.js';
import { knownServers } from '#earshot/reach/remedies/servers.js';

/* How servers that people know are told where to listen, from the command line of their process. */

const at = '192.0.2.1';

function told(command: string[], address = at, port = 3000, name = command[0] ?? '') {
  return listeningOn({ pid: 1, fd: 3, name, uid: 0, command }, address, port);
}

/** The arguments of a process, and the line that starts it so that it listens on 192.0.2.1. */
const lines: readonly (readonly [process: string, line: string])[] = [
  ['node /app/node_modules/.bin/vite', 'node /app/node_modules/.bin/vite --host 192.0.2.1'],
  [
    'node node_modules/vite/bin/vite.js --port 3000',
    'node node_modules/vite/bin/vite.js --host 192.0.2.1 --port 3000',
  ],
  ['vite --host 127.0.0.1 --open', 'vite --host 192.0.2.1 --open'],
  ['vite --host=127.0.0.1', 'vite --host=192.0.2.1'],
  ['vite --host --open', 'vite --host 192.0.2.1 --open'],
  ['node /app/node_modules/.bin/next dev', 'node /app/node_modules/.bin/next dev -H 192.0.2.1'],
  ['next start --hostname localhost', 'next start --hostname 192.0.2.1'],
  ['node nuxt dev', 'node nuxt dev --host 192.0.2.1'],
  ['node astro.js dev', 'node astro.js dev --host 192.0.2.1'],
  [
    'node node_modules/.bin/webpack serve --hot',
    'node node_modules/.bin/webpack serve --host 192.0.2.1 --hot',
  ],
  ['webpack-dev-server', 'webpack-dev-server --host 192.0.2.1'],
  ['ng serve', 'ng serve --host 192.0.2.1'],
  ['vue-cli-service serve', 'vue-cli-service serve --host 192.0.2.1'],
  [
    'node node_modules/.bin/react-scripts start',
    'HOST=192.0.2.1 node node_modules/.bin/react-scripts start',
  ],
  ['gatsby develop', 'gatsby develop -H 192.0.2.1'],
  ['storybook dev -p 6006', 'storybook dev -h 192.0.2.1 -p 6006'],
  ['parcel index.html', 'parcel --host 192.0.2.1 index.html'],
  ['wrangler dev', 'wrangler dev --ip 192.0.2.1'],
  ['http-server -a 127.0.0.1 .', 'http-server -a 192.0.2.1 .'],
  ['json-server db.json', 'json-server --host 192.0.2.1 db.json'],
  ['live-server --host=localhost', 'live-server --host=192.0.2.1'],
  ['serve -l 3000', 'serve -l tcp://192.0.2.1:3000'],
  ['code-server --bind-addr 127.0.0.1:8080', 'code-server --bind-addr 192.0.2.1:3000'],
  ['node --inspect server.js', 'node --inspect=192.0.2.1:3000 server.js'],
  [
    '/usr/bin/node --inspect-brk=127.0.0.1:9229 server.js',
    '/usr/bin/node --inspect-brk=192.0.2.1:3000 server.js',
  ],
  ['python3 -m http.server 3000 --bind 127.0.0.1', 'python3 -m http.server 3000 --bind 192.0.2.1'],
  ['/usr/bin/python3.11 -m http.server', '/usr/bin/python3.11 -m http.server --bind 192.0.2.1'],
  ['python -m http.server -b ::1', 'python -m http.server -b 192.0.2.1'],
  ['python manage.py runserver', 'python manage.py runserver 192.0.2.1:3000'],
  [
    'python3 manage.py runserver 3000 --noreload',
    'python3 manage.py runserver 192.0.2.1:3000 --noreload',
  ],
  [
    '/venv/bin/python /venv/bin/flask run --host=127.0.0.1',
    '/venv/bin/python /venv/bin/flask run --host=192.0.2.1',
  ],
  ['python -m flask run', 'python -m flask run --host 192.0.2.1'],
  [
    'python3 /usr/bin/jupyter-lab --no-browser',
    'python3 /usr/bin/jupyter-lab --ip=192.0.2.1 --no-browser',
  ],
  ['jupyter notebook --ip=127.0.0.1', 'jupyter notebook --ip=192.0.2.1'],
  [
    'python /venv/bin/uvicorn app:app --reload',
    'python /venv/bin/uvicorn --host 192.0.2.1 app:app --reload',
  ],
  ['fastapi dev main.py', 'fastapi dev --host 192.0.2.1 main.py'],
  ['hypercorn -b 127.0.0.1:3000 app', 'hypercorn -b 192.0.2.1:3000 app'],
  ['python /usr/bin/gunicorn app', 'python /usr/bin/gunicorn -b 192.0.2.1:3000 app'],
  ['waitress-serve app:app', 'waitress-serve --host=192.0.2.1 app:app'],
  ['streamlit run app.py', 'streamlit run --server.address 192.0.2.1 app.py'],
  ['tensorboard --logdir runs', 'tensorboard --host 192.0.2.1 --logdir runs'],
  ['mkdocs serve', 'mkdocs serve -a 192.0.2.1:3000'],
  ['ruby bin/rails server -p 3000', 'ruby bin/rails server -b 192.0.2.1 -p 3000'],
  ['ruby /usr/bin/jekyll serve', 'ruby /usr/bin/jekyll serve -H 192.0.2.1'],
  ['php -S localhost:3000 -t public', 'php -S 192.0.2.1:3000 -t public'],
  ['php8.2 -S localhost:3000', 'php8.2 -S 192.0.2.1:3000'],
  ['php artisan serve', 'php artisan serve --host=192.0.2.1'],
  ['hugo server -D', 'hugo server --bind 192.0.2.1 -D'],
  [
    'kubectl port-forward svc/web 3000:80',
    'kubectl port-forward --address 192.0.2.1 svc/web 3000:80',
  ],
  ['/usr/local/bin/ollama serve', 'OLLAMA_HOST=192.0.2.1:3000 /usr/local/bin/ollama serve'],
  ['memcached -l 127.0.0.1 -m 64', 'memcached -l 192.0.2.1 -m 64'],
];

for (const [process, line] of lines) {
  test(`${process} is started as ${line}`, (t) => {
    t.is(told(process.split(' '))?.command, line);
  });
}

/** The title or arguments of a process that a file says where to listen, and which setting that is. */
const files: readonly (readonly [process: string[], setting: string])[] = [
  [['redis-server 127.0.0.1:6379'], 'bind'],
  [['/usr/bin/redis-server', '/etc/redis/redis.conf'], 'bind'],
  [['/usr/lib/postgresql/15/bin/postgres', '-D', '/var/lib/postgresql'], 'listen_addresses'],
  [['postgres: writer process'], 'listen_addresses'],
  [['/usr/sbin/mysqld'], 'bind-address'],
  [['/usr/sbin/mariadbd', '--basedir=/usr'], 'bind-address'],
  [['/usr/bin/mongod', '--config', '/etc/mongod.conf'], 'net.bindIp'],
  [['gunicorn: master [app]'], 'bind'],
  [['next-server (v14.2.3)'], '-H'],
  [['nginx: master process /usr/sbin/nginx'], 'listen'],
  [['sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups'], 'ListenAddress'],
  [['puma 6.4.0 (tcp://127.0.0.1:3000) [app]'], 'bind'],
  [['/usr/lib/systemd/systemd', '--system'], 'ListenStream'],
  [['java', '-Xmx1g', 'org.elasticsearch.bootstrap.Elasticsearch'], 'network.host'],
];

for (const [process, setting] of files) {
  test(`${process.join(' ')} is told by ${setting} in a file, not by its command line`, (t) => {
    const how = told(process);
    t.is(how?.setting?.name, setting);
    t.is(how?.command, null);
  });
}

test('an IPv6 address with a port stands in brackets', (t) => {
  t.is(told(['php', '-S', 'localhost:80'], '::', 80)?.command, "php -S '[::]:80'");
  t.is(told(['vite'], '::')?.command, 'vite --host ::');
});

test('an argument that a shell would take apart is quoted', (t) => {
  t.is(
    told(['vite', '--config', "it's a file.ts", '$HOME', ''])?.command,
    `vite --host ${at} --config 'it'\\''s a file.ts' '$HOME' ''`,
  );
});

test('a word that is an argument of something else makes no server of it', (t) => {
  for (const process of [
    'cat vite',
    'tail -f uvicorn',
    'node server.js vite',
    'vim manage.py runserver',
    'grep next dev',
    'bash run.sh serve',
  ])
    t.is(told(process.split(' ')), null, process);
  t.is(told([], at, 3000, 'unknown'), null);
});

test('a process whose arguments are not visible is known by its name', (t) => {
  t.is(told([], at, 6379, 'redis-server')?.setting?.file, 'redis.conf');
});

test('every server that is known is in these tables', (t) => {
  const processes = [
    ...lines.map(([process]) => process.split(' ')),
    ...files.map(([process]) => process),
  ];
  const met = new Set(processes.map((process) => told(process)?.server));
  const rest = knownServers.filter(({ name, told: { by } }) => !met.has(name) && by !== 'file');
  t.deepEqual(
    rest.map(({ name }) => name),
    [],
  );
});
