// A program that must end although its engine is open.
import { Engine } from "rhei-datafusion";

const db = await Engine.create();
await db.query("SELECT 1");
