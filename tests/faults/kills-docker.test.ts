import { describeDocker } from '../support/docker.ts';
import { behavingContainer } from '../support/web-releases.ts';
import { provesKills } from './kill-points.ts';

describeDocker('on a Docker', () => {
  provesKills('docker', behavingContainer().make, 1);
});
