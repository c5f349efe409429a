import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { usageError } from './cli-error.ts';

/** The text of a file; `-`: of standard input. */
export async function readText(path: string): Promise<string> {
  return (path === '-' ? text(process.stdin) : readFile(path, 'utf8')).catch((error: unknown) => {
    throw usageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
}

export async function readJson(path: string): Promise<unknown> {
  const content = await readText(path);
  try {
    return JSON.parse(content) as unknown;
  } catch (error) {
    throw usageError(`${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
