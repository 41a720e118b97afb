import { createServer, type IncomingMessage, type Server } from 'node:http';
import { formFor } from './accept.js';
import { contentTypes } from './page.js';
import type { Scrapes } from './scrapes.js';

/** More than monitors need, and no more than memory has for pages that nobody takes. */
const MOST_CONNECTIONS = 64;
/** Who has not taken an answer by then is let go. Milliseconds. */
const LONGEST_ANSWER = 60_000;
/** So much earlier than the scrape's own end an answer has to leave. Milliseconds. */
const ON_ITS_WAY = 250;

const home = `<!doctype html><html lang="en"><title>earshot exporter</title>
<h1>earshot exporter</h1><p><a href="/metrics">Metrics</a></p></html>
`;

interface Answer {
  status: number;
  type: string;
  body: string;
  headers?: Record<string, string>;
}

const plain = (status: number, body: string, headers = {}): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
  headers,
});

/** The HTTP side: /metrics in the form asked for, /-/healthy, a page at /, and nothing else. */
export function metricsServer(scrapes: Scrapes, longestAnswer = LONGEST_ANSWER): Server {
  const server = createServer(async (request, response) => {
    const late = setTimeout(() => request.socket.destroy(), longestAnswer);
    response.once('close', () => clearTimeout(late));
    const { status, type, body, headers } = await answerTo(request, scrapes);
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      'X-Content-Type-Options': 'nosniff',
      ...headers,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  return server;
}

async function answerTo(request: IncomingMessage, scrapes: Scrapes): Promise<Answer> {
  const path = (request.url ?? '').split('?')[0];
  if (path !== '/' && path !== '/metrics' && path !== '/-/healthy') {
    return plain(404, 'not found: see /metrics');
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plain(405, 'GET and HEAD only', { Allow: 'GET, HEAD' });
  }
  if (path === '/') return { status: 200, type: 'text/html; charset=utf-8', body: home };
  if (path === '/-/healthy') return plain(200, 'earshot exporter is healthy');
  const form = formFor(request.headers.accept ?? '');
  const body = await within(secondsOf(request), scrapes.page(form));
  if (body !== null) {
    return { status: 200, type: contentTypes[form], body, headers: { Vary: 'Accept' } };
  }
  return plain(503, `reading takes longer than the ${secondsOf(request)} s of the scrape`);
}

/** How long a scrape may take, as Prometheus says; `Infinity` where nobody does. */
function secondsOf({ headers }: IncomingMessage): number {
  const seconds = Number(headers['x-prometheus-scrape-timeout-seconds']);
  return seconds > 0 ? seconds : Number.POSITIVE_INFINITY;
}

/** `null` where it takes too long. What is being read is read on, for who asks next. */
async function within<Value>(seconds: number, work: Promise<Value>): Promise<Value | null> {
  if (seconds * 1000 > LONGEST_ANSWER) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), Math.max(seconds * 500, seconds * 1000 - ON_ITS_WAY));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
