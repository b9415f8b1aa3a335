import { python, run } from '../program.js'
import type { Site } from '../site.js'
import { expectEqual, expectText, type Step } from '../step.js'

const MAKE_FACE = `
import sys
from PIL import Image
Image.radial_gradient('L').resize((640, 640)).convert('RGB').save(sys.argv[1] + '/face.jpg')`

/** A program that knows nothing of buckets. */
const MAKE_THUMBNAIL = `
import sys
from PIL import Image
face = Image.open(sys.argv[1] + '/face.jpg')
face.thumbnail((100, 100))
face.save(sys.argv[1] + '/thumb_face.jpg')`

const SHOW = `
import sys
from PIL import Image
print(*Image.open(sys.argv[1] + '/thumb_face.jpg').size)`

export const THUMBNAIL: Step = { title: 'face.jpg becomes thumb_face.jpg (Python, PIL)', run: makeThumbnail }

async function makeThumbnail(site: Site): Promise<string> {
  const mount = await site.mount()
  await python(MAKE_FACE, [mount.path()])
  await python(MAKE_THUMBNAIL, [mount.path()])
  const size = await python(SHOW, [mount.path()])
  expectEqual('the size of the thumbnail', size, '100 100')
  expectText('file type', await run(['head', '-c', '10', mount.path('thumb_face.jpg')]), 'JFIF')
  const bytes = await run(['stat', '-c', '%s', mount.path('thumb_face.jpg')])
  return `${size.replace(' ', 'x')} pixels, ${bytes} bytes`
}
