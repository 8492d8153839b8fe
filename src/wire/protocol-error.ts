/** The peer broke the frontend/backend protocol, or something that is not PostgreSQL is talking to us. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolError';
  }
}
