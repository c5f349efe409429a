import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { connect, databaseUrl } from '../../adapters/postgres/connect.ts';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { writeAtomically } from '../write-atomically.ts';
import type { Home } from './home.ts';

export interface FirstToken {
  /** Only at the first run. */
  readonly token: string | null;
  /** Readable by its owner only; null: it is somewhere else. */
  readonly path: string | null;
}

/** The admin token of the first run: stored before it becomes valid, shown once. */
export async function ensureFirstToken(home: Home, serverUrl: string, database: string): Promise<FirstToken> {
  const path = join(home.secrets, 'admin-token');
  const sql = connect(databaseUrl(serverUrl, `${database}_ops`), { name: 'holdfast-stack', max: 1 });
  try {
    const made = await createTokenStore(sql).ensureFirstAdmin((token) => writeAtomically(path, token));
    return { token: made?.token ?? null, path: existsSync(path) ? path : null };
  } finally {
    await sql.end();
  }
}
