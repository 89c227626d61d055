"""Free handwriting fonts: what they are, and how npm fetches them.

Each is an npm package @fontsource/NAME, which carries a family of Google Fonts as WOFF files, and its license. npm takes it
from whichever registry this machine is set up to use. The archive is kept in the cache as it came, HCR_CACHE/fonts/, once its
SHA-256 matches, or is put by hand into HCR_DATA/fonts/; nothing is unpacked to disk.
"""

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hcrlib.core import paths
from hcrlib.core.errors import DataError
from hcrlib.core.fileio import file_lock
from hcrlib.datasets.official_files import as_data_error

SUBSETS = "latin", "latin-ext"  # files of a family; the second one has what Czech needs, and is not in every package
BATCH = 8  # packages that npm fetches at a time: an interruption loses at most these
OPTIONS = "--silent=false", "--loglevel=error", "--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"
TIMEOUT_S = 300  # for a batch
LARGEST = 10_000_000  # bytes of a file in an archive: more is no font of one script


@dataclass(frozen=True)
class Font:
    """A font in an npm package. sha256, size: of the package's archive. licence: its SPDX identifier."""

    name: str
    version: str
    licence: str
    sha256: str
    size: int

    def __str__(self):
        return f"{self.name} {self.version}, {self.licence}"

    @property
    def archive(self):
        """The name that npm gives the archive."""
        return f"fontsource-{self.name}-{self.version}.tgz"


# Name, version, license, SHA-256 and size of the archive. Picked by eye: legible, and like handwriting rather than lettering.
_TABLE = """
alex-brush 5.3.0 OFL-1.1 f0610b3d9a503360b03b9a332a89ee6476811e3e4a09398979c52d60af0952f7 132337
allura 5.3.0 OFL-1.1 2ee3e81f8c3777a6ccea66e7548eed2bb2077837d9026da7a9fc2dde8c6aca54 125990
annie-use-your-telescope 5.3.0 OFL-1.1 ed1cea10322cff6e760b1c1d2cb3be8b5a3b08ddea41feae31f9f938f39fe1ab 58047
architects-daughter 5.3.0 OFL-1.1 791d2009fbdc46ca3eb942c27c62c0ee353668cd290dfad17f401b8488c727a1 51081
bad-script 5.3.0 OFL-1.1 3b51fb49d57c31345272b0d483be17ec99d67a3e6baf06d462b800fd6d9478cd 219342
bilbo 5.3.0 OFL-1.1 b0eafd23dbd6ab037cca2aed1c75f6204a657d954ab6e309fb73bd7fb3c34a12 87191
birthstone 5.3.0 OFL-1.1 6113d71122cb2150d5a32d7e05aa6562391908aa99b17725cfb33dac5f86400a 127766
caveat 5.3.0 OFL-1.1 ebf746fc0667b9d10fcac7c8604e2ba40a264da85a1c9b48bd679c0af3221293 1241035
caveat-brush 5.3.0 OFL-1.1 90bdf6714e7152db9b03cd62ec69fe6ff96efe4ba30eacef71b40e7492a53089 196617
cedarville-cursive 5.3.0 OFL-1.1 dd07000aae10231af25d83ab5ea2c53a22a8c20d8eccc137d6e5798a55edc80e 56086
coming-soon 5.3.0 Apache-2.0 aac84961066a709d468766331ec2dcbe9c45bbf5260537ca859e411703d20395 55063
cookie 5.3.0 OFL-1.1 07157445bcb2ecccf2dba865e8efc9c01e9403ad22b1f298dbbe0dba127206f0 39196
courgette 5.3.0 OFL-1.1 313ba0c485f5e8e09a5783c4b590719bc689a55d205f23a6c58b0437bcce0676 88076
covered-by-your-grace 5.3.0 OFL-1.1 1bd27256356f90c7bc7b463d36c05565ef4b3d655bc56d0dd7b7387114b1308d 61092
crafty-girls 5.3.0 Apache-2.0 5d6ed9d0860995963dc7c5895765e49a605e3a1e5c63d3aee65c65e767c4e808 79851
dancing-script 5.3.0 OFL-1.1 e392efa74afec672f1c97f8699a16bb8439c8aca1a367ddb5cd035f11e70e31a 391335
dawning-of-a-new-day 5.3.0 OFL-1.1 90b517633db0d0b77ccbd6ba10c9befaaefd3aa0d964957fc7af064ce377037a 46470
delicious-handrawn 5.3.0 OFL-1.1 46a6a44ebd681a6266ad59dedd676de3679f4ac1e603630446ac1f35a78314e3 88503
delius 5.3.0 OFL-1.1 d11ac0b0039cc03d141d2dc65ee3472a8bd77300ff2dc16ed24c83544097ecb0 44939
ephesis 5.3.0 OFL-1.1 adcef6fe3aedceb267c97c1fb342e77d02a483f9331348e74d5a3a680d3b3057 132071
give-you-glory 5.3.0 OFL-1.1 53dc8a5a8571d4ddbf30961e9be717e4a9395e7c4c172bacc76151cae70955aa 68114
gloria-hallelujah 5.3.0 OFL-1.1 8755cc046e06286eeebee193f9f753bd0f03eec44c7bf188fc883db66e7a9d91 67610
gochi-hand 5.3.0 OFL-1.1 6e206b6139093775d8762503196d6d991408bd5f8393ea0357f4f89b75b195a3 49318
grape-nuts 5.3.0 OFL-1.1 93b250022fe6d3cf2a1b84288eabe24c98dfd9d206d3c76c6c8c0e545ac886ec 120200
great-vibes 5.3.0 OFL-1.1 0bfdc957fa42a6d17288fce79a9299dab14742b77bdbb223c4385739d4035ca9 320751
handlee 5.3.0 OFL-1.1 e1fbeba16906d4807b42add8ab85dec533c3e667575be00ba96f050b5fc452ce 43606
homemade-apple 5.3.0 Apache-2.0 0ad668da20f63bd47bb32c86e160a7cae8ef0f2e1844c405bc40e278c86b91d0 115098
indie-flower 5.3.0 OFL-1.1 be380503f1e2c5ef08b8399a28f8cb2f1725527db2cb6aacec3037c2bd1b9083 70896
italianno 5.3.0 OFL-1.1 05d55abaf566d7c69590e7059a39f9f2ad3227dab588ef7d933bc3a7ca6fc5e4 125373
just-me-again-down-here 5.3.0 OFL-1.1 f50dfa4391c0155de091e83454aa53c82e6fd03d79e0ef27d16615186af6f9f8 60957
kalam 5.3.0 OFL-1.1 0aaf22523f3c57ae19f32c4f4df0d43d6efd01b7563a19cf4ed818cd5601426d 720217
kristi 5.3.0 OFL-1.1 17fc68a1e21cdf6e59112e7ea2450e039b1590caeb3714ed53d958b791f2ee64 51260
la-belle-aurore 5.3.0 OFL-1.1 48be5aefc80ad78aa9b2b1c992dd65678235c2496ae2a88f694e594ab9d7abed 68301
licorice 5.3.0 OFL-1.1 4e973b54d1baee5b46860b35bdd46f82d8a30500930349592fb13eeb97750aba 137702
loved-by-the-king 5.3.0 OFL-1.1 d058a205828a2e29748c87c533dd917fb9b3e4156d6ae564f48cef24f5e9eb69 46000
mansalva 5.3.0 OFL-1.1 ed850c14e8a1729761348b17e15f9ec7dc5693594d3d4a60456489ce301d883d 273356
marck-script 5.3.0 OFL-1.1 c4e6f14fd3736ec94a872db215192ea7dea04f1315df1385b451c153510575da 80481
montecarlo 5.2.8 OFL-1.1 e277cf0fbe3d9264585183daaa18fb99b010bf605a949212df94b71356910333 140670
ms-madi 5.3.0 OFL-1.1 aa34753159245fc9aac7b429183c092254f85aabd7e6bc4c51cf60becf6d3f25 133594
mynerve 5.3.0 OFL-1.1 0ecc298409c3206a75447721e3f462ed7dca74efc9c7c88e4d3644529e37a033 256618
neucha 5.3.0 OFL-1.1 8f2718549556a0c406a766edc9689801a950dc79a71cbb646fc5e2d67c49cca0 76568
nothing-you-could-do 5.3.0 OFL-1.1 dac48ef024df5e754bf8586157d73d0dba139d6353f28b9ec6de77b0dadf0add 41376
oooh-baby 5.3.0 OFL-1.1 1c76cc3cdaa82e7bdf1b55141d358c36250913d5b1291df4a7e9a42818d742c2 126409
over-the-rainbow 5.3.0 OFL-1.1 5f231cee244b4c3a734da05bf23d4e07fec1062ffa1824358e933f59fc94e313 69299
parisienne 5.3.0 OFL-1.1 b047afa53cca7ace68d1a76407a1a72841d940483877b16373be1beb159c0c74 86326
patrick-hand 5.3.0 OFL-1.1 c3428d02610c7b8fa92b044cf766f8c30b88bb32a47460b4ac42fa14e0bcdcc0 99377
permanent-marker 5.3.0 Apache-2.0 1fc372d174353a87b0ae7bb9651e32e7d1731f9e0b4c50c5d8704baea032bc1b 74241
pinyon-script 5.3.0 OFL-1.1 7b4064f2c0145016091fee841067f1edd8c06225c575bffde3f4d9232d231dbe 166949
playwrite-de-grund 5.3.0 OFL-1.1 b13968a83fa9fe5328ab750e2d6516771f612955863112bb992eb134016845ba 187188
playwrite-fr-moderne 5.3.0 OFL-1.1 4a9524400853229ef35148e7d10ec2cbdda0f3837cb315ac8074c94761cf0b77 269110
playwrite-fr-trad 5.3.0 OFL-1.1 7d2cf8c387fe0c291000ca955999492c09e6d17da7c53b8394c1c6755bfbfca3 414572
playwrite-us-trad 5.3.0 OFL-1.1 b09e262dd7a5c103c53397ac78a26dc68cbd23cffc82680b895f3d2d3a7c63b6 420648
reenie-beanie 5.3.0 OFL-1.1 8a2406f9b3c0b76199dcd87288ea40480fcd8547ba1af2f9f3156205f1688be9 56564
rochester 5.3.0 Apache-2.0 a7e94767f691b3ea86dfdf03efc115f33e09bf1cea65dc42fba97e1f1444f7bd 50931
rock-salt 5.3.0 Apache-2.0 c298a87c9a667bcd034b4a5c87430394a0d9bdc03ff6182eaacac2abb868db57 126949
ruthie 5.3.0 OFL-1.1 c6ddc351e1df880582e2e8d993ef9d34eae52a469657fde68007291b4211f27f 107102
sacramento 5.3.0 OFL-1.1 d9214720a61e878d67296a55afec2c372b1e6a9a6a00718e8e343def34911ae3 88485
satisfy 5.3.0 Apache-2.0 279d9fe5546d3facc33e3730f64493734fd70813af1bb8c979756242789092a5 57849
schoolbell 5.3.0 Apache-2.0 08901884344f129587928d2260a84e6d8cc7baae54ecdce19ff225694314b704 55472
sedgwick-ave 5.3.0 OFL-1.1 0531aaf259af059ed01c20108b5c4a7e80b5868e4e2095910e3ceaf06c597dc1 131121
shadows-into-light 5.3.0 OFL-1.1 0885aefd34c65bd79207cffff0771ae0527f227a202bc850f8cf9a12257fc7f1 61531
shadows-into-light-two 5.3.0 OFL-1.1 ca9ce1f14a8756059f453e50cede2676b12930515d9a36b30af6a144125fb0da 59066
short-stack 5.3.0 OFL-1.1 10ff174d6c256fd5e5417466b24a561de4fd1c5d090975849c77cc7746d8f470 59424
square-peg 5.3.0 OFL-1.1 10c9992f1b2d9e68516d8bfc0d1455d36decc9ad5aed8fe7013ebfb67a79bec2 128684
sue-ellen-francisco 5.3.0 OFL-1.1 93c9f047a1709b2879db10b52058ffba7c1642f0acbec422eb358433c937ee00 37301
swanky-and-moo-moo 5.3.0 OFL-1.1 3a1b7f26957986f2bd645c3656f4044812a8b6995eeb2870c90a2f6b86426cd5 66162
tangerine 5.3.0 OFL-1.1 116bc68b9d818fa70274a240a775a4f92b031759109a293f60dff8c4ca00e66a 93896
the-girl-next-door 5.3.0 OFL-1.1 d4ac864cbcda87dffe808b5366045e8d75c149fd2a00d081cc8343ab36699545 73252
vibur 5.3.0 OFL-1.1 1c6332aa95f3de8d6a1a471ef3eff7fdd21fef034b4efc0fc25cfc41feca67fb 82246
waiting-for-the-sunrise 5.3.0 OFL-1.1 6f9c645d858526553e72f0b56abb32742d5d4c10d6acdb392e5d3fa843ef7141 65056
whisper 5.3.0 OFL-1.1 f3af599bfba08140178bc90714b48af2772eeea081c161448c627a0188116b6d 132021
yellowtail 5.3.0 Apache-2.0 11069ff57ef56c675878da73fa19b044286e94dae0001329fcced91d30f0508e 74762
zeyada 5.3.0 OFL-1.1 bf6eb4164a796a1b91405188b95455aa7e1fad447f37195e9f767efee21e336a 72339
"""
FONTS = tuple(Font(*row[:-1], int(row[-1])) for row in map(str.split, _TABLE.split("\n")) if row)


def find(font):
    """Return (place, path) of a font's archive, valid or not; place: "HCR_DATA", "cache", or "" if it is missing."""
    roots = {"HCR_DATA": paths.data_root(), "cache": paths.cache_root()}
    found = ((place, root / "fonts" / font.archive) for place, root in roots.items() if root)
    return next(((place, path) for place, path in found if path.is_file()), ("", None))


def checked(font):
    """Return the bytes of a font's archive. DataError: it is missing, unreadable or another file."""
    place, path = find(font)
    if not place:
        raise DataError(f"The font {font.name} is not on this machine", hint="Run `hcr data fetch font-lines`")
    with as_data_error(path):
        data = path.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != font.sha256:
        what, hint = (
            f"Not version {font.version} of the font {font.name}",
            "Delete it, then run `hcr data fetch font-lines`",
        )
        raise DataError(what, where=path, expected=f"sha256 {font.sha256}", got=digest, hint=hint)
    return data


def read(font):
    """Return a font's files, bytes of WOFF, one for each of SUBSETS that it has. DataError as of `checked`."""
    data, found = checked(font), {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                subset = member.name.removeprefix(f"package/files/{font.name}-").removesuffix("-400-normal.woff")
                if subset in SUBSETS and member.isfile() and member.size <= LARGEST:
                    found[subset] = archive.extractfile(member).read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"The font {font.name} cannot be unpacked: {error}", where=find(font)[1]) from error
    if SUBSETS[0] not in found:
        raise DataError(f"The font {font.name} has no Latin letters", where=find(font)[1], got=", ".join(found) or None)
    return [found[subset] for subset in SUBSETS if subset in found]


def fetch(fonts):
    """Fetch those fonts that are missing into the cache, with npm.

    Raises:
        DataError: npm is missing, reaches no registry, or brings other files than those of the catalog. What has been fetched
            by then is kept.
    """
    from tqdm import tqdm

    folder = paths.cache_root() / "fonts"
    if all(find(font)[0] for font in fonts):
        return
    with as_data_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / ".lock"):
            missing = [font for font in fonts if not find(font)[0]]  # another process may have fetched them meanwhile
            with tqdm(total=len(missing), unit=" fonts", desc="npm") as bar:
                for at in range(0, len(missing), BATCH):
                    _fetch_some(missing[at : at + BATCH], folder)
                    bar.update(len(missing[at : at + BATCH]))


def _fetch_some(fonts, folder):
    """Move what npm brings, and is what it should be, into the folder. DataError if a font is missing then."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".npm-", ignore_cleanup_errors=True) as made:
        said = _npm([f"@fontsource/{font.name}@{font.version}" for font in fonts], made)
        wrong = []
        for font in fonts:
            path = Path(made) / font.archive
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == font.sha256:
                path.replace(folder / font.archive)
            else:
                wrong.append(f"{font.name} {font.version}" + (" with another sha256" if path.is_file() else ""))
    if wrong:
        hint = "Check the network and `npm ping`, then run `hcr data fetch font-lines` again: it goes on where it broke off. "
        hint += f"Or put the archives of the packages ({fonts[0].archive}, ...) into HCR_DATA/fonts"
        raise DataError("npm did not bring these fonts", expected=", ".join(wrong), got=said or "nothing", hint=hint)


def _npm(packages, folder):
    """Download packages into a folder with `npm pack`; return what npm said if it failed, else ""."""
    npm = shutil.which("npm")
    if npm is None:
        hint = "Install Node.js, which brings it, then run `hcr data fetch font-lines`; or put the archives of the packages "
        hint += f"@fontsource/NAME into HCR_DATA/fonts, named as fontsource-{packages[0].split('/')[1].replace('@', '-')}.tgz"
        raise DataError("The fonts come with npm, which is not installed", expected="npm in PATH", hint=hint)
    command = [npm, "pack", *OPTIONS, "--pack-destination", folder, *packages]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S} s"
    said = [line for line in done.stderr.splitlines() if line.strip() and "complete log" not in line]
    return "; ".join(said[:3]) if done.returncode else ""
