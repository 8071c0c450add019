import { type DataType, type Field, Type } from "@uwdata/flechette";

const TIME_UNITS = ["s", "ms", "µs", "ns"];
const INTERVAL_UNITS = ["YearMonth", "DayTime", "MonthDayNano"];

/** The name of a type in `tableSchema` and in SQL's `arrow_typeof`: `Int64`, `Timestamp(ms)`, `List(Utf8)`. */
export function typeName(type: DataType): string {
  switch (type.typeId) {
    case Type.Int:
      return `${type.signed ? "Int" : "UInt"}${type.bitWidth}`;
    case Type.Float:
      return `Float${[16, 32, 64][type.precision]}`;
    case Type.Bool:
      return "Boolean";
    case Type.Decimal:
      return `Decimal${type.bitWidth}(${type.precision}, ${type.scale})`;
    case Type.Date:
      return type.unit === 0 ? "Date32" : "Date64";
    case Type.Time:
      return `Time${type.bitWidth}(${TIME_UNITS[type.unit]})`;
    case Type.Timestamp:
      return `Timestamp(${TIME_UNITS[type.unit]}${type.timezone ? `, "${type.timezone}"` : ""})`;
    case Type.Interval:
      return `Interval(${INTERVAL_UNITS[type.unit]})`;
    case Type.Duration:
      return `Duration(${TIME_UNITS[type.unit]})`;
    case Type.FixedSizeBinary:
      return `FixedSizeBinary(${type.stride})`;
    case Type.FixedSizeList:
      return `FixedSizeList(${type.stride} x ${item(type.children[0]!)})`;
    case Type.List:
    case Type.LargeList:
    case Type.ListView:
    case Type.LargeListView:
      return `${plain(type)}(${item(type.children[0])})`;
    case Type.Struct:
      return `Struct(${type.children.map(part).join(", ")})`;
    case Type.Map:
      return `Map(${part(type.children[0])}, ${type.keysSorted ? "sorted" : "unsorted"})`;
    case Type.Dictionary:
      return `Dictionary(${typeName(type.indices)}, ${typeName(type.dictionary)})`;
    default:
      return plain(type);
  }
}

/** The name of a type that has no parameters. */
function plain(type: DataType): string {
  return Object.entries(Type).find(([, id]) => id === type.typeId)?.[0] ?? "Unknown";
}

function item(field: Field): string {
  const name = field.name === "item" ? "" : `, field: '${field.name}'`;
  return `${nullability(field)}${typeName(field.type)}${name}`;
}

function part(field: Field): string {
  return `${JSON.stringify(field.name)}: ${nullability(field)}${typeName(field.type)}`;
}

function nullability(field: Field): string {
  return field.nullable ? "" : "non-null ";
}
