/**
 * Which columns may travel in binary. The binary form of a value is the type's own affair, and some of it names
 * other types by OID, which differ between clusters. Pure.
 *
 * @see https://www.postgresql.org/docs/current/sql-copy.html (Binary Format)
 */

/** A row of pg_type with what hangs on it. OIDs are the server's own. */
export interface TypeRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** pg_type.typtype: b(ase), c(omposite), d(omain), e(num), r(ange), m(ultirange), p(seudo). */
  readonly kind: string;
  /** typsend and typreceive both exist. */
  readonly hasBinaryForm: boolean;
  /** Element type of a true array; 0 otherwise. */
  readonly element: number;
  /** Base type of a domain, subtype of a range, range of a multirange; 0 otherwise. */
  readonly inner: number;
  /** Types of a composite's columns, in order. */
  readonly attributes: readonly number[];
}

/** OIDs below are fixed by PostgreSQL itself and the same in every cluster. */
const FIRST_NORMAL_OID = 16384;

/** Their value is an OID of a catalog row: only its name means the same elsewhere. */
const REFERENCES =
  /^reg(class|collation|config|dictionary|namespace|oper|operator|proc|procedure|role|type)$/;

/**
 * Describes the type's binary form: equal texts on both servers mean that a value sent by one is
 * understood by the other. Undefined when there is none that is safe.
 */
export function typeSignature(oid: number, types: ReadonlyMap<number, TypeRow>): string | undefined {
  const type = types.get(oid);
  if (type === undefined || !type.hasBinaryForm) return undefined;
  if (type.element !== 0) return wrap('array', [embedded(type.element, types)]);
  switch (type.kind) {
    case 'b':
      return REFERENCES.test(type.name) && isBuiltIn(oid) ? undefined : `${type.schema}.${type.name}`;
    case 'e':
      return `enum ${type.schema}.${type.name}`;
    case 'd':
    case 'r':
    case 'm':
      return wrap(type.kind, [typeSignature(type.inner, types)]);
    case 'c':
      return wrap(
        'row',
        type.attributes.map((attribute) => embedded(attribute, types)),
      );
    default:
      return undefined;
  }
}

/** Arrays and rows carry the OIDs of what they hold. */
const embedded = (oid: number, types: ReadonlyMap<number, TypeRow>): string | undefined =>
  isBuiltIn(oid) ? typeSignature(oid, types) : undefined;

const isBuiltIn = (oid: number): boolean => oid < FIRST_NORMAL_OID;

function wrap(what: string, inner: readonly (string | undefined)[]): string | undefined {
  return inner.includes(undefined) ? undefined : `${what}(${inner.join(', ')})`;
}
