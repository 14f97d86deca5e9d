// Node, message by message: amqplib, pg with prepared statements, undici's pool.
import { connect } from 'amqplib'
import pg from 'pg'
import { Pool } from 'undici'

const { DATABASE_URL, BROKER_URL, BROKER_QUEUE, DELIVERY_URL } = process.env
const CONCURRENCY = 64
const address = new URL(DELIVERY_URL)
const receiver = new Pool(address.origin, {
  connections: CONCURRENCY, headersTimeout: 10_000, bodyTimeout: 10_000
})
// A date stays as it is written.
pg.types.setTypeParser(pg.types.builtins.DATE, text => text)
const database = new pg.Pool({
  connectionString: DATABASE_URL, max: 20, options: '-c TimeZone=UTC'
})
const claim = `
UPDATE message_logs AS message
SET status = 'SENDING', lease_expires_at = now() + interval '5 min', updated_at = now()
WHERE id = $1 AND scheduled_send_time = $2
  AND (status IN ('SCHEDULED', 'QUEUED', 'RETRYING')) IS TRUE
RETURNING user_id, (SELECT email FROM users WHERE users.id = message.user_id) AS email,
          message_type, message_content, delivery_date, idempotency_key`
const record = `
UPDATE message_logs
SET status = 'SENT', actual_send_time = now(), lease_expires_at = NULL,
    api_response_code = $1, api_response_body = $2, updated_at = now()
WHERE id = $3 AND scheduled_send_time = $4 AND (status = 'SENDING') IS TRUE`

async function deliver ({ id, scheduled_send_time: time }) {
  const { rows } = await database.query({ name: 'claim', text: claim, values: [id, time] })
  if (rows.length === 0) return
  const [row] = rows
  const event = {
    type: `${row.message_type.toLowerCase()}.message`,
    timestamp: time,
    data: {
      idempotency_key: row.idempotency_key,
      user_id: row.user_id,
      email: row.email,
      message_type: row.message_type,
      delivery_date: row.delivery_date,
      message: row.message_content
    }
  }
  const { statusCode, body } = await receiver.request({
    path: address.pathname,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': row.idempotency_key },
    body: JSON.stringify(event)
  })
  const text = await body.text()
  if (statusCode < 200 || statusCode >= 300) throw new Error(`answered ${statusCode}`)
  await database.query({ name: 'record', text: record, values: [statusCode, text, id, time] })
}

const connection = await connect(BROKER_URL)
const channel = await connection.createChannel()
await channel.prefetch(CONCURRENCY)
await channel.consume(BROKER_QUEUE, async message => {
  try {
    await deliver(JSON.parse(message.content))
    channel.ack(message)
  } catch (problem) {
    console.error(problem)
    channel.nack(message)
  }
})
process.on('SIGTERM', async () => {
  await channel.close()
  await connection.close()
  process.exit(0)
})
