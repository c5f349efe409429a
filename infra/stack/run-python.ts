import { spawn } from 'node:child_process';
import type { Downloads } from './download/downloads.ts';
import { StackError } from './stack-error.ts';
import { WayClosed } from './ways.ts';

export interface PythonWork extends Pick<Downloads, 'say' | 'signal'> {
  /** Whose packages they are, for people. */
  readonly what: string;
  /** The file that names them by checksum, for people. */
  readonly lock: string;
}

const beatMs = 30_000;

/**
 * Python, mostly pip. Throws WayClosed with what it said last, StackError when packages are others than they should be. The
 * user's settings of pip count, but for those that would install elsewhere.
 */
export async function runPython(
  file: string,
  args: readonly string[],
  work: PythonWork,
  more: NodeJS.ProcessEnv = {},
): Promise<void> {
  const { say, signal, what } = work;
  const elsewhere = /^(PYTHON|VIRTUAL_ENV$|PIP_(TARGET|PREFIX|ROOT|USER)$)/;
  const inherited = Object.entries(process.env).filter(([name]) => !elsewhere.test(name));
  const env = { ...Object.fromEntries(inherited), PIP_USER: '0', PYTHONDONTWRITEBYTECODE: '', ...more };
  const child = spawn(file, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const beat = setInterval(() => say(`still fetching the packages of ${what}`), beatMs);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  ).finally(() => clearInterval(beat));
  signal.throwIfAborted();
  if (code !== 0) throw explained(said, code, work);
}

const noNetwork =
  /NewConnectionError|ConnectTimeoutError|Name or service not known|name resolution|Network is unreachable|ProxyError|Connection refused|timed out/;

function explained(said: string, code: number | null, { what, lock }: PythonWork): Error {
  if (/No space left on device|Errno 28/.test(said)) return Object.assign(new Error(said), { code: 'ENOSPC' });
  if (/DO NOT MATCH THE HASHES/.test(said)) {
    return new StackError(
      `The packages of ${what} are not those of ${lock}, and are refused`,
      'Look at what pip fetches from, and empty its cache: pip cache purge',
    );
  }
  if (noNetwork.test(said)) return new WayClosed(`the packages of ${what} cannot be fetched: there is no network`);
  const lines = said.trim().split('\n');
  const last = lines.filter((line) => /^ERROR|Error/.test(line)).at(-1) ?? lines.at(-1) ?? '';
  return new WayClosed(`${what} cannot be installed: ${last.trim() || `exit code ${String(code)}`}`);
}
