// A process of its own that does one step of replacing a folder's contents, and ends with SIGKILL before its nth change on
// the disk. argv: compiled tree, folder, id, what to do, n (0: it lives)
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , tree = '', root = '', id = '', wish = '', nth = '0'] = process.argv;
let done = 0;
/** @param {string} name */
function counted(name) {
  const real = /** @type {any} */ (fs)[name];
  /** @type {any} */ (fs)[name] = (/** @type {unknown[]} */ ...args) => {
    // A folder that is only opened to be synced is no change.
    if (name === 'open' && args[1] === 'r') return real(...args);
    done += 1;
    if (done === Number(nth)) process.kill(process.pid, 'SIGKILL');
    return real(...args);
  };
}
for (const name of ['rename', 'mkdir', 'rm', 'open', 'chmod', 'chown']) counted(name);
syncBuiltinESMExports();

const { createReplacement } = await import(pathToFileURL(join(tree, 'dist/adapters/restore/replace-contents.js')).href);
const replacement = createReplacement(root, id);
await replacement[wish](new AbortController().signal);
process.stdout.write(String(done));
