import { withoutDocker } from '../support/without-docker.ts';
import { behavingContainer } from '../support/web-releases.ts';
import { provesBrokenReleases } from './broken-releases.ts';

if (withoutDocker) test.skip('without docker', () => undefined);
else provesBrokenReleases('docker', (watch) => behavingContainer({ watch }), /^oom_killed$/);
