import type { SigningKey } from '../../adapters/backup/signing-key.ts';
import { isPermanentFailure } from '../../domain/failures.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';

export interface BackupKeyRouteDeps {
  readonly backupKeys: {
    /** Made at its first use. */
    own(): Promise<Pick<SigningKey, 'key_id' | 'public_key'>>;
    /** Returns its id. */
    trust(pem: string): Promise<string>;
  };
}

/** Row B2: what signs the points of this box, and whose signatures it believes besides. */
export function backupKeyRoutes(route: Route, { backupKeys }: BackupKeyRouteDeps): void {
  route('backup_key_show', async () => {
    const { key_id, public_key } = await backupKeys.own();
    return { status: 200, body: { key_id, public_key } };
  });

  route('backup_key_trust', async ({ body: { public_key } }) => {
    const key_id = await backupKeys.trust(public_key).catch((error: unknown) => {
      if (!isPermanentFailure(error)) throw error;
      const errors = [{ path: 'public_key', message: error.message }];
      throw new ApiProblem('invalid_request', `public_key: ${error.message}`, { errors });
    });
    return { status: 200, body: { key_id } };
  });
}
