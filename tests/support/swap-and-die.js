// A process of its own that swaps two databases, and ends with SIGKILL before its nth statement is sent.
// argv: compiled tree, server, the swap as JSON, n (0: it lives)
import postgres from 'postgres';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [, , tree = '', server = '', swap = '{}', nth = '0'] = process.argv;
const { swapDatabases } = await import(pathToFileURL(join(tree, 'dist/adapters/restore/swap-database.js')).href);
let sent = 0;
const sql = postgres(server, {
  max: 3,
  onnotice: () => undefined,
  debug: (_connection, query) => {
    // The sessions are ended beside it, any number of times.
    if (query.includes('pg_terminate_backend')) return;
    sent += 1;
    if (sent === Number(nth)) process.kill(process.pid, 'SIGKILL');
  },
});
await swapDatabases(sql, JSON.parse(swap));
await sql.end();
process.stdout.write(String(sent));
