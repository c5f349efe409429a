import { describeDocker } from '../support/docker.ts';
import { behavingContainer } from '../support/web-releases.ts';
import { provesBrokenReleases } from './broken-releases.ts';

describeDocker('on a Docker', () => {
  provesBrokenReleases('docker', (watch) => behavingContainer({ watch }), /^oom_killed$/);
});
