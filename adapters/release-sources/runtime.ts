import { probeHttp } from '../probe/http.ts';
import { throughSwitch } from '../probe/through-switch.ts';
import { idIn } from './ids.ts';
import type { Finding, ReleaseQuestion } from './release-source.ts';

/** `runtime`: the build_sha that the running service says of itself, which is the release before this deploy. */
export async function askRuntime({ spec, signal }: ReleaseQuestion): Promise<Finding> {
  const { probes, traffic } = spec;
  const urls = [probes.http?.url, probes.liveness?.http?.url].filter((url) => url !== undefined);
  if (urls.length === 0) return { ids: null, reason: 'the service has no health URL' };
  for (const url of urls) {
    const asked = traffic === undefined ? url : throughSwitch(url, traffic.listen);
    const { reported_build_sha } = await probeHttp(asked, probes.timeout_ms, signal);
    const id = idIn(reported_build_sha);
    if (id !== null) return { ids: { release_id: id, previous_release_id: id } };
  }
  return { ids: null, reason: 'the service does not answer with a build_sha' };
}
