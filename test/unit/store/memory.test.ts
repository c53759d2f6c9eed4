import { openMemoryStore } from '../../../src/store/memory.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('memory store', async clock => openMemoryStore(clock === undefined ? {} : { clock }))
