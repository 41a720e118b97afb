import type { Symptom } from '../../reach/verdict.js';

/** What the peer's program reports, in words that match what a colleague says. */
export function symptomWords(symptom: Symptom | null): string {
  switch (symptom) {
    case 'ECONNREFUSED':
      return 'connection refused (ECONNREFUSED)';
    case 'ETIMEDOUT':
      return 'no answer until it times out (ETIMEDOUT)';
    case 'EHOSTUNREACH':
      return 'no route to host (EHOSTUNREACH)';
    case 'ENETUNREACH':
      return 'network is unreachable (ENETUNREACH)';
    case 'EACCES':
      return 'permission denied (EACCES)';
    case 'EPERM':
      return 'operation not permitted (EPERM)';
    case 'EINVAL':
      return 'invalid argument (EINVAL)';
    case 'EADDRNOTAVAIL':
      return 'address not available (EADDRNOTAVAIL)';
    case 'ENOPROTOOPT':
      return 'protocol not available (ENOPROTOOPT)';
    case 'ECONNRESET':
      return 'connection reset (ECONNRESET)';
    case null:
      return 'a failure; which one depends on what could not be read';
  }
}
