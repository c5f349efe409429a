import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf } from '../../adapters/process/identity.ts';
import { claim, neverRan, writeState } from '../../adapters/process/instance-folder.ts';
import { LogSegments, type LogLimits } from '../../adapters/process/log-segments.ts';

/** A data folder, by itself or a given one, in which this process is the keeper: it writes as one does, and ends when it is told. */
export function createLogFolders(home = mkdtempSync(join(tmpdir(), 'holdfast-logs-'))) {
  const root = join(home, 'services');
  let count = 0;

  function begin(limits: LogLimits, instance = `i${++count}.candidate`) {
    const name = { service: 'web', instance };
    const folder = join(root, 'web', 'instances', instance);
    mkdirSync(folder, { recursive: true });
    const self = identityOf(process.pid);
    if (self === null || claim(folder, self) === null) throw new Error('no claim');
    const log = new LogSegments(folder, limits);
    return {
      name,
      folder,
      write: (text: string | Buffer) => log.write(Buffer.from(text)),
      /** `written`: as a keeper that lived to write down how its program ended. */
      end(written = true) {
        log.close();
        if (written) writeState(folder, { ...neverRan, exited_at: new Date().toISOString() });
        rmSync(join(folder, 'keeper.json'));
      },
      remove: () => rmSync(folder, { recursive: true }),
    };
  }

  return { root, begin, close: () => rmSync(home, { recursive: true, force: true }) };
}

export type OwnLog = ReturnType<ReturnType<typeof createLogFolders>['begin']>;
