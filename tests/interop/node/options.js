// What servers of this family do differently. Names and values are those of `ServerOptions` of the embedded server,
// with a few more; durations are seconds, sizes bytes.

const DEFAULTS = {
  broadcast_on_post: true, // false: nobody is told of a posted message until its sender emits `new_message`
  event_spelling: 'event', // `new_message`: 'event', 'rest' or 'wrapped'
  idempotency: true, // whether a repeated `Idempotency-Key` finds the first message
  echo_client_message_id: true, // whether messages carry the key that they were sent with
  list_routes: 'both', // 'first', 'other' or 'both'
  history_routes: 'both', // 'first', 'other' (the short one) or 'both'
  mark_read_methods: 'both', // 'first' is PATCH, 'other' is PUT
  user_info_route: true, // `/patients/{id}` and `/medecins/{id}` are there always
  new_messages_route: true,
  answers: 'envelope', // or 'short' or 'bare'
  empty_mark_read: false,
  authenticate_event: false, // whether a socket counts only after `authenticate`
  join_payload: 'both', // 'object', 'id' or 'both'
  relay_events: [],
  ping_interval: 25,
  ping_timeout: 20,
  max_http_buffer_size: 1_000_000,
  max_body_size: 1_000_000,
  middleware_delay: 0, // how long each handshake takes
  join_delay: 0, // how long each join takes
  connection_state_recovery: false,
  keep_alive: true, // whether an HTTP connection serves more than one request
  compressed_frames: false, // permessage-deflate, for frames of any size
  text_ids: false, // "15" in place of 15
  epoch_times: false, // milliseconds since 1970 in place of ISO 8601
  html_404: false, // whether what is no route is answered by Express's own page, not by an envelope
  api_path: '/api',
  socketio_path: '/socket.io',
};

export function readOptions(given) {
  for (const name of Object.keys(given)) if (!Object.hasOwn(DEFAULTS, name)) throw new Error(`no option ${name}`);
  return { ...DEFAULTS, ...given };
}
