import { describeDocker } from '../support/docker.ts';
import { behavingContainer } from '../support/web-releases.ts';
import { provesBrokenReleases } from './broken-releases.ts';

describeDocker('on a Docker', () => {
  // Of the same class where containerd did not tell Docker why: it can miss it on a machine that is very busy.
  const outOfMemory = /^(oom_killed|process_exited:137)$/;
  const inCi = ['exits_at_once', 'dies', 'eats_memory'] as const;
  provesBrokenReleases('docker', (watch) => behavingContainer({ watch }), outOfMemory, inCi);
});
