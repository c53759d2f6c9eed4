/**
 * Loaded before every test file under Node. A child that a test kills half way would leave half a coverage report behind and
 * spoil the whole; our own coverage is on already and does not need the variable any more.
 */
if (process.env['NODE_TEST_CONTEXT'] !== undefined) delete process.env['NODE_V8_COVERAGE']
