import { Engine, EngineError, type Row } from "rhei-datafusion";

interface Order {
  id: bigint;
  total: string;
}

export async function examples(file: File, signal: AbortSignal): Promise<number> {
  await using db = await Engine.create({ memoryLimitBytes: 1 << 30 });
  await db.createTable(
    "orders",
    [
      { name: "id", type: "BIGINT", nullable: false },
      { name: "total", type: "DECIMAL(12, 2)" },
    ],
    {
      primaryKey: ["id"],
    },
  );
  const changed: number = await db.execute("UPDATE orders SET total = $1 WHERE id = $2", ["1.50", 2n], { signal });
  const loaded: number = await db.loadParquet("lines", file);
  const orders = (
    await db.query("SELECT * FROM orders", [], { onProgress: ({ rows }) => console.log(rows) })
  ).rows<Order>();
  const wanted: Order = { id: 2n, total: "1.50" };
  await db.query("SELECT * FROM orders WHERE id = $id AND total = CAST($total AS DECIMAL(12, 2))", wanted);
  const totals: string[] = orders.map((order) => order.total);
  const rows: Row[] = (await db.query("SELECT 1 AS one")).rows();
  for await (const batch of db.stream("SELECT * FROM lines", [], { signal })) {
    const bytes: Uint8Array = batch.ipc;
    console.log(bytes.length, batch.numRows);
  }
  const reader = db.stream("SELECT 1").toReadableStream().getReader();
  await reader.cancel();
  const table = await (await db.query("SELECT 1")).toTable();
  await db.registerFunction("twice", (x: number) => 2 * x, { args: ["DOUBLE"], returns: "DOUBLE" });
  try {
    await db.query("SELEC");
  } catch (error) {
    if (error instanceof EngineError && error.code === "invalid") console.log(error.message);
  }
  return changed + loaded + totals.length + rows.length + table.numRows;
}
