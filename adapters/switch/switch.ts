import type { TrafficSpec } from '../../domain/service.ts';

/** Row D11: what stands in front of a service and sends requests to one of its instances. */
export interface TrafficSwitch {
  /** The port that new requests go to now; null: none yet, or the switch does not run. */
  current(service: string, traffic: TrafficSpec): Promise<number | null>;

  /**
   * Sends new requests to this port; starts the switch where it is ours and does not run. Returns when new requests go
   * there. Repeating it changes nothing. Throws PermanentFailure('GuardRefused') when listen.port is somebody else's.
   */
  point(service: string, traffic: TrafficSpec, port: number): Promise<void>;

  /**
   * Waits until no request is under way to any other port, or drain_ms have passed; then closes what is left and idle
   * connections too. Returns how many were cut.
   */
  drain(service: string, traffic: TrafficSpec, signal: AbortSignal): Promise<{ readonly cut: number }>;

  /** Takes the switch down, when the service is stopped for good. One that is not there is no error. */
  remove(service: string, traffic: TrafficSpec): Promise<void>;
}
