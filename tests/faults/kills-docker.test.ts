import { withoutDocker } from '../support/without-docker.ts';
import { behavingContainer } from '../support/web-releases.ts';
import { provesKills } from './kill-points.ts';

if (withoutDocker) test.skip('without docker', () => undefined);
else provesKills('docker', behavingContainer().make);
