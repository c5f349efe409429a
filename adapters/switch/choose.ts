import type { TrafficSpec } from '../../domain/service.ts';
import type { TrafficSwitch } from './switch.ts';

export interface TrafficSwitches {
  readonly forwarder: TrafficSwitch;
  readonly caddy: TrafficSwitch;
}

/** The switch that each service's `traffic` asks for. */
export function createTrafficSwitch({ forwarder, caddy }: TrafficSwitches): TrafficSwitch {
  const of = (traffic: TrafficSpec) => (traffic.caddy === undefined ? forwarder : caddy);
  return {
    current: (service, traffic) => of(traffic).current(service, traffic),
    point: (service, traffic, port) => of(traffic).point(service, traffic, port),
    drain: (service, traffic, signal) => of(traffic).drain(service, traffic, signal),
    remove: (service, traffic) => of(traffic).remove(service, traffic),
  };
}
