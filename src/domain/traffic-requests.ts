/** What stands between application and database counts: since its start, but for those that wait now. */

export interface TrafficRequests {
  readonly total: number;
  readonly failed: number;
  /** Sessions whose request is being held. */
  readonly heldNow: number;
}
