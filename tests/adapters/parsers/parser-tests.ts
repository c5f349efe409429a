import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createParserPool, type ParserPoolOptions } from '../../../adapters/parsers/pool.ts';
import type { ParsedDocument, Quarantined } from '../../../domain/document.ts';
import { compileTree } from '../../support/compile.ts';

/** A pool of the real program, and a folder to put documents in. */
export function makePool(options: Partial<ParserPoolOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-parsers-'));
  const program = compileTree().program('adapters/parsers/parse-process.js');
  const pool = createParserPool({ program, workers: 1, memoryMb: 512, timeoutMs: 30_000, ...options });
  let files = 0;

  /** Under a name that says nothing, as staged files have. */
  function staged(content: Uint8Array | string): string {
    const path = join(folder, String((files += 1)));
    writeFileSync(path, content);
    return path;
  }

  return {
    pool,
    folder,
    staged,
    parse: (name: string, content: Uint8Array | string): Promise<ParsedDocument | Quarantined> =>
      pool.parse({ path: staged(content), name }),
    async parsed(name: string, content: Uint8Array | string): Promise<ParsedDocument> {
      const result = await pool.parse({ path: staged(content), name });
      if ('reason' in result) throw new Error(`${result.reason}: ${result.detail}`);
      return result;
    },
    close: () => {
      pool.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Kind and text of each block, for people to compare. */
export function shown({ text, blocks }: ParsedDocument): string[] {
  return blocks.map(({ kind, level, start, end }) => `${kind}${level ?? ''}: ${text.slice(start, end).trim()}`);
}
