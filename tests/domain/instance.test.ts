import { cutOverOf, takesPort, withPort } from '../../domain/deploy/instance.ts';
import { serviceSpecSchema, type ServiceSpec } from '../../domain/service.ts';

const spec = {
  ...serviceSpecSchema.parse({
    driver: 'docker',
    source: { image: 'app:1' },
    run: { argv: ['app', '--listen={port}'], env: { PORT: '{port}', NAME: 'web' } },
    container: {
      ports: [
        { container: 80, host: '{port}' },
        { container: 81, host: 8_081 },
      ],
      labels: { note: '{port}' },
    },
    traffic: { listen: { port: 8_080 } },
    probes: {
      http: { url: 'http://127.0.0.1:{port}/ready' },
      liveness: { command: { argv: ['ask', '{port}', 'alive'] } },
      timeout_ms: 500,
    },
  }),
  box: 'here',
} satisfies ServiceSpec;

test('D11 the port is filled in where the program is told it, and where it is asked', () => {
  const filled = withPort(spec, 4_242);
  expect(filled.run).toMatchObject({ argv: ['app', '--listen=4242'], env: { PORT: '4242', NAME: 'web' } });
  expect(filled.container?.ports.map(({ host }) => host)).toEqual([4_242, 8_081]);
  expect(filled.probes).toEqual({
    http: { url: 'http://127.0.0.1:4242/ready' },
    liveness: { command: { argv: ['ask', '4242', 'alive'] } },
    timeout_ms: 500,
  });
  expect(filled.container?.labels).toEqual({ note: '{port}' });
  expect(
    withPort({ ...spec, probes: { ...spec.probes, command: { argv: ['ask', '{port}'] } } }, 7).probes.command,
  ).toEqual({
    argv: ['ask', '7'],
  });
});

test('D11 what takes no port is left as it is', () => {
  expect(withPort(spec, null)).toBe(spec);
  expect(takesPort(spec)).toBe(true);
  expect(takesPort(withPort(spec, 4_242))).toBe(false);
});

describe('D11 how one takes the place of another', () => {
  const other = { ...spec, traffic: { ...spec.traffic, listen: { port: 9_090, host: '127.0.0.1' } } } as ServiceSpec;
  const alone = { ...spec, traffic: undefined, run: { argv: ['app'], env: {} }, container: undefined } as ServiceSpec;

  test.each<[string, ServiceSpec, ServiceSpec | null, string]>([
    ['nothing runs yet', spec, null, 'start_first'],
    ['the same port of the world', spec, spec, 'start_first'],
    ['another port of the world', spec, other, 'stop_first'],
    ['it had no switch before', spec, alone, 'stop_first'],
    ['it has none now', alone, spec, 'stop_first'],
    ['under another driver before', spec, { ...spec, driver: 'process' }, 'stop_first'],
    ['the commands are the operator’s', { ...spec, driver: 'command' }, spec, 'command'],
  ])('%s', (_, now, before, expected) => {
    expect(cutOverOf(now, before)).toBe(expected);
  });
});
