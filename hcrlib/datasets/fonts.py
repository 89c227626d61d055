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
# For single characters only, since lines in the fonts above are part of committed runs. Of Google's handwriting fonts, those of
# at most 2.5 MB of which a network that had seen none of them read at least 80 % of the digits and letters.
_MORE = """
aguafina-script 5.3.0 OFL-1.1 306e576502092cdf759fe5de4aa65b187f44cf2e4934e099566370039d535ee2 46424
allison 5.3.0 OFL-1.1 d72a4bbb19c68506fe1627b13c6d1c1e6e824468ac70b8682a93fffc93953bd6 145723
amita 5.2.8 OFL-1.1 505bbf367bb24e03be2768d0af78ce9a47166ed20890c4b00e41a13cd11886fd 304016
arizonia 5.3.0 OFL-1.1 d371b4ab1a8e3441380ea047fc9f611151be010c21d3cec5d7190690f8546a74 132626
beth-ellen 5.3.0 OFL-1.1 a84f7c2a5204218cf3bf41deec295a8907e2ef2bf60fe060c64733f9f9067f17 93515
bilbo-swash-caps 5.3.0 OFL-1.1 5bf75d4da11243e436bd04de14a9828ffe2f334ce9bdb38fde50c3d98eebc4d3 58047
birthstone-bounce 5.3.0 OFL-1.1 6e3454e37cc8d4715d04755fa0e028e25c05ebbd5f3b90dc5485f0917418d55d 362979
bonheur-royale 5.3.0 OFL-1.1 e206d4f9ff7285298a4b1c764ccbddb08235034b3dcf605c9bee981b662a39ad 138554
calligraffitti 5.3.0 Apache-2.0 1a4d04efce9a6bb55088b5d616b118a80d9801ebd9a87661954d0eccf503f876 64541
caramel 5.3.0 OFL-1.1 3c77318a1b7e76816953d5db0f3c4e4fa1bdf445d69a9dbc5c9116ff0782ffcd 97969
carattere 5.2.8 OFL-1.1 bc34bb89e1bfb02f987d9c0950de056d876aaa04f67698387a2c15996026b2b5 127380
cause 5.3.0 OFL-1.1 252e039defb29e5f2284b4b0a7c90c312c8b8d1c2ea1e655717cf27a8ed1eee5 496597
charm 5.2.7 OFL-1.1 fda8d2a1a071c85ba8efde59365efb8945c6bd23382b76ac287bce9416d6807e 261986
charmonman 5.2.7 OFL-1.1 16cc9672f9f48740bd06dabc9e6bb11af3a09ffa920638564b276da0e9b95bc0 248437
chilanka 5.3.0 OFL-1.1 699f89eec4e9461ec71fcd9e245804c6a9da32e1c709ee48375b7937b590f289 300579
clicker-script 5.3.0 OFL-1.1 606584b409f21130e488456889abcf9a29bf0cdf8301340df4ab4fafdc21a698 85699
comforter 5.2.8 OFL-1.1 10b6e81941ded0f7a1ad11054a07370273ba221c516d9d3da50ec668cb0fadb5 204110
comforter-brush 5.3.0 OFL-1.1 e1ae52843717a8eefbaafa422e9c5f9a36e6ede520530997294f8cf27d6833d1 623097
corinthia 5.3.0 OFL-1.1 785a69df3232b124fefe93f6e6fe55766c2022af56a4801a8d46caa9092fbcbe 292907
damion 5.3.0 OFL-1.1 a1b5abcc6d89cdac48b2873befafd6fc7d83182eed3b15bb13e1cf3ab5b5e580 84850
darumadrop-one 5.3.0 OFL-1.1 945fea476a01f646429502eba349c082bcc0ab18ef69a4e1c456604284b83ecd 1031240
dekko 5.3.0 OFL-1.1 37938c5218b2e1c7ec8a8563796d12e1c357788d2f1a444e8ffd7d9e6f572143 211962
delius-swash-caps 5.3.0 OFL-1.1 a594493a914aa653bc8c0ad6f99115bff875b73f7f89e2f1e74f05f2cd0868b3 49056
edu-au-vic-wa-nt-hand 5.3.0 OFL-1.1 540d6fb984c4a0c6006f5eda523b426a567fcfb932de07dd8daf53b22bca6358 593131
edu-nsw-act-foundation 5.3.0 OFL-1.1 ca91298947e4e95be9595a7e234a81e494f4bbcd57a2b6006c74cf1809fa3db0 99959
edu-qld-beginner 5.3.0 OFL-1.1 567433d322935ceae5f449b73a5dd5fc9dbabd6fa06e4e3326fbe6ec7aff1f95 101074
edu-sa-beginner 5.3.0 OFL-1.1 a91f987d2a9e11937fac52c9adc0eaecd2e7ad69f4532152680c84717b202def 90765
edu-tas-beginner 5.3.0 OFL-1.1 253bcf05d60701109332c3d7c1acaaced5f54f7fbf94a2d92fa4045d1869ebe8 90526
edu-vic-wa-nt-beginner 5.3.0 OFL-1.1 a53e487636db6815d568bdb73225b5cd2f7ec45f1cd17656b6682dca82645c06 92738
engagement 5.3.0 OFL-1.1 81c5c92131d706ff3ba069e08c18af2df6835d6c0ef020f7e40a08cef7abcf11 92595
estonia 5.0.20 OFL-1.1 c933c410409f12ece3fee1f6ca84a6e576713b301a3c615590c474e7c8d0f8c4 325602
explora 5.3.0 OFL-1.1 951e90f6b30fc79dd07710f16d9cc5c485f98b36c713023b7a0b23acfdd981ec 137888
fasthand 5.0.20 OFL-1.1 ebdd4855ac1514059aa7509cadc249463e2a6617a4b37dc96d2fb3dc5bd7097b 267179
felipa 5.3.0 OFL-1.1 81d4573e5a0505b0fd7ee686eba709cb2b7168dcd4a4a40c29a31a92a36aff89 42025
finger-paint 5.3.0 OFL-1.1 1400d4b0e2690c09753e2b6daf5b4e1f686d8cfbfd20bf898eb45775cf451653 119011
fondamento 5.3.0 OFL-1.1 a4af780b0f06be476b70116d10a92d89900b056047a64d0c52ffc6ed01005fa6 157087
fuggles 5.3.0 OFL-1.1 ccee657cdccf89fd1a7c6f461a5760c00dfbc8c8616b7f29fcbf18d4e55b95c7 142623
fuzzy-bubbles 5.3.0 OFL-1.1 2c83ab005ae5e49410060fcddde95f799921821c8c0b5a2fe567c98002e5ba8a 232963
gluten 5.3.0 OFL-1.1 f4bb1b782dd69698fd905ad874e9c0755fb9d9c86cfbb5b7271e02aa84aabd9c 925158
grechen-fuemen 5.3.0 OFL-1.1 a48672823da524cb8d517ccfe75f1bd0709bf049d55ae2344332a087a3f5f74b 126927
grey-qo 5.0.21 OFL-1.1 be9d5e39140c1f5a6e062a04fd68bec6542c236be172b41de7bd986bd80d8b89 116496
gwendolyn 5.3.0 OFL-1.1 3c59e05c4a9038f7cf326238176535be5a34c824a9f15ece403bb3d2c1fc8867 280271
hubballi 5.2.8 OFL-1.1 6047261c2586b271e8925fed24af358afc2e3eb430904ee6cfef2062f5754db2 136415
hurricane 5.3.0 OFL-1.1 40c71baf90cd05e9876b23c48b43792c05f965b8ccb452fc75b9ec8dadfa7754 158082
inspiration 5.2.7 OFL-1.1 cb3d3826f9458bb30a5b0a15be88d844f2ae23f1d78c3e2795976b7b62fb0ad4 138896
island-moments 5.2.8 OFL-1.1 41ed7a9ee8c057fb0e6e7d1822c1a57240faa958b1843aaa87df1b897d1bd6fb 279516
itim 5.3.0 OFL-1.1 2b6f41d05eae237d51e51e69099993e2864d9c61a0015cb908b73850000f1e2e 210333
just-another-hand 5.3.0 Apache-2.0 58754de1b8784c97defb535f0c7e5d683ace09c17533e20c0c8c627da8239d2f 111404
kavivanar 5.3.0 OFL-1.1 c765f6374afbb1b8e8cb9fbf8b7355e3a9de0899a76d3b8aa61d35c4d1216e14 77249
kolker-brush 5.3.0 OFL-1.1 cd4d7152e28acfbec25d524fe8b507f06407d8b9baa02f9469c9687ed990a59f 214142
league-script 5.2.8 OFL-1.1 ff9c6c37b53651a5da2e2ba2bf27deb54e1cb442aa277d740aa2f3457b241f5a 55879
mali 5.3.0 OFL-1.1 391b86c08e567a8537c0cf6aad7298f5e4c54e0ab7652d046b44678f01f7fbd0 1418788
meow-script 5.3.0 OFL-1.1 3d548be1a5ff430aa9fde6b51a8ef730285bcee221f083af49f0a3e3b529119b 139507
merienda 5.3.0 OFL-1.1 dc879a68923ae6bc7e80bc0c0d99f2dfb20147467cf709831561b8d62b85f05c 605246
montez 5.3.0 Apache-2.0 0ce4b4d6fd6ea8f2b8f5f8a22a06e10c4d64f4b37420e8d2fe26149a96b99d55 84148
moon-dance 5.0.5 OFL-1.1 aeb92ff6aa43a2965b4cc5de9ed0852023a6f8ef4db8cb44e0f3b8e22b2a3267 143286
mr-dafoe 5.3.0 OFL-1.1 13cbcaa706121cb7d9a27ad6584c30c89f953df34d2fccb5bb03f72a89ea4afe 49999
nerko-one 5.3.0 OFL-1.1 75a0e6d3243f8f6684ea848a4418b395fc11966ae426e97951269b30b0414241 84528
niconne 5.3.0 OFL-1.1 221e940207d8f78432b9fd9cbfeb6a733c4ebb085732ec51d2a718a3b6864ba5 52992
norican 5.3.0 OFL-1.1 b242e15c95e98ad877a69ac67e60facf26113cd0baa2de3b58c66e388e119b9f 95465
pacifico 5.3.0 OFL-1.1 397f4f0a8a4c44e929cafa4cfede7240f7ac81a922f6779d3fefe2192c67d619 231921
pangolin 5.3.0 OFL-1.1 0b7bd4f9ad33a18fc9de29e28dfb23fc4281635cc153df856443106c94f0e0b3 392670
petit-formal-script 5.3.0 OFL-1.1 c938a31794eb5f8fe65276c0978b485e2c6d51d38c9e5c3ea52afe16c3cb5f92 100873
playwrite-ar 5.3.0 OFL-1.1 9921599ec74c636e761ae7f83a9b5b7e8617d737c5d6b6e708a6371f99db5c1a 412699
playwrite-at 5.3.0 OFL-1.1 08f0dfd54edd9b03725816abf20dc2ed6b9fc2681fbef6a6675f54a564d1ff04 747640
playwrite-au-vic 5.3.0 OFL-1.1 cc6843877eda1e33c0cc0c3b522ced6d5ec2524147487e8cd6801d184466ffeb 334699
playwrite-ca 5.3.0 OFL-1.1 fb8bb6430fb26009af96c2319d8f058ec7cf42079c2a70d882beec5cff0dbe87 420903
playwrite-co 5.3.0 OFL-1.1 fffb663e8e740a01ce8037ff287687c21a687544c4f9bb3d0a52690575a04be8 431984
playwrite-cz 5.3.0 OFL-1.1 76b07851a8e533369f387004939f0d17bcf30c81bcabccb3d87cc6dd030cf285 418616
playwrite-de-sas 5.2.7 OFL-1.1 15908084bd23005dd9695179126be7cb8c6695e9079a40ae4844f0cbe8f60075 397054
playwrite-dk-loopet 5.3.0 OFL-1.1 cc6cdaed35e40fd2194e737cecfa0ce93fdfebcb8444b12bd21ce45fee4a344c 324724
playwrite-es-deco 5.3.0 OFL-1.1 12ef61d12530df2754413410ad08e51d59c9a7c6f62f8fa5b77265ba8604d5a2 401957
playwrite-hr 5.3.0 OFL-1.1 e26ac72585360fd13b4e666b4a0d4d17f2cf4ef86e8b9b3ffd2053f8271df60d 395266
playwrite-in 5.3.0 OFL-1.1 cca8d493b54e19d36016148425e13eadfe284c44dcb778db43c9717eda74afb7 434971
playwrite-it-moderna 5.3.0 OFL-1.1 75a3144ff7499f11a43f2cfab88e5c374274c42e643bac4605b57502d462c058 291657
playwrite-it-trad 5.3.0 OFL-1.1 b0ab790c79989176413e1ef795b30d37cb8bf38041ffc5308121c2650c94d143 397688
playwrite-no 5.3.0 OFL-1.1 cf38585e67046dfb94353cf2c93c6fe5dc6df43e3e696b2afb31ae87f424333b 362737
playwrite-pl 5.3.0 OFL-1.1 aa008cbdd35373264700febf8e190ab6358cd0bae124a3e9b37acef8984c7653 365165
playwrite-pt 5.3.0 OFL-1.1 e9e30ea1a54360cf87dc1f2d94c533c48b3c96983691b4ec4f5bb632f93facee 408130
playwrite-ro 5.3.0 OFL-1.1 31c773f399c9b4314c42a829949aedbf9ac481deca33078131cee0d5449441ba 411639
playwrite-tz 5.3.0 OFL-1.1 86c0440676df6fc63d25cd4027b4c3d4d62e3ab100ec9b290930bcfbe8dea2aa 424539
playwrite-us-modern 5.3.0 OFL-1.1 d4878885eff9957e6e62a34d95080fd9aba2977352db59c418555ca8c80ce039 280300
playwrite-vn 5.3.0 OFL-1.1 929bddd8fabb7f12958e167c7dc8ea5fef651af807eb8ccda655129b3b44f703 412739
playwrite-za 5.3.0 OFL-1.1 0faed386de1a522dd2e0acffd478e774fd0197a9974f588280f6da51dfe61e3b 419761
qwigley 5.2.8 OFL-1.1 969448d16373a05c2a62482f28cdbc26de12e2a7d26c1bc39d496e11168296cb 100135
qwitcher-grypen 5.3.0 OFL-1.1 ddf3183eef835169467540f550b41debb2057749229f031c4bc8959cbf3daac0 339221
rancho 5.3.0 Apache-2.0 577fe931e414956a67cae67a5f0ecbae9600132f9d70cdbdc6a77125f48520ab 53465
redressed 5.3.0 Apache-2.0 d9bcb32577f551cb6d4e49e0c1a652bad48f0d847cbc7961c895f5d8def59f53 77790
sedgwick-ave-display 5.3.0 OFL-1.1 787ec0bdfbeb08a8b8bde5216b318d2dc2b262ca14f04342583c9076db73f496 128783
send-flowers 5.3.0 OFL-1.1 84d46caf9e7bb4d092255cb49bf819b292c06ca43b5d3a53a02f2e9bf7ae83ed 125198
single-day 5.3.1 OFL-1.1 133ad639f50a5f2803d5783fce68c5eabcfd79a2b183a4f2474ecf72785d8f7d 1915121
smooch 5.3.0 OFL-1.1 c25ff30ee4cf3ba17eba737a055cf74fc4a8a284074738e02da5878e16e53759 221215
sofia 5.3.0 OFL-1.1 929e5d6865027981d025b6bd11df9bebc67750903c9e675e98b928560a484133 33272
solitreo 5.3.0 OFL-1.1 2456a0cf45f959e6a210cb422ce131fbfeadf131d5a9e0658431d50edc98d8a2 98937
sriracha 5.3.0 OFL-1.1 934c3629d255c4f86f66b218cdefef90d6328727be5036fc28f953ac53a7b6f4 183300
story-script 5.3.0 OFL-1.1 199b501159c33ac3b4980606ff672f5ad3725612b07e11480f64e59df5cb04fb 104717
sunshiney 5.3.0 Apache-2.0 aef8e83dd616ebb98d67fd28377666a224030454160bea1d1ec6f333fe325a66 142491
the-nautigal 5.2.7 OFL-1.1 6f03c9aa1df8b7d71703bf3d6f1d4d1aa5c8b2d64ac92a856a159ad10e4d599b 275585
twinkle-star 5.3.0 OFL-1.1 c61c55e3876f97011f3b43145ec5c3fe7d3778be2240e0f101a1654d0f9a40e9 157070
updock 5.3.0 OFL-1.1 67ff1b5f5374cc1add692053f405b12d2f0b2838d7773530230a7497b3bd30a5 127362
vujahday-script 5.3.0 OFL-1.1 2bf118228adf88c0007ba283e8d92f0bb39ddb84b9b381e6645637aebde0aa74 177088
water-brush 5.3.0 OFL-1.1 b7b86ca47df6f1eaae5e6a11296ad3641dfa92967b4f58a0466e130445c87046 315016
winky-rough 5.3.0 OFL-1.1 b6dee06802404e4b15290d0b034dedada8e17ce62fb259045532d23515039cb8 1936875
yesteryear 5.3.0 OFL-1.1 4e96179379ccb24ce9655e28808a6087c683b0a987d8df3a2e8c2412400c8227 86191
"""


def _parsed(table):
    return tuple(Font(*row[:-1], int(row[-1])) for row in map(str.split, table.split("\n")) if row)


FONTS, MORE_FONTS = _parsed(_TABLE), _parsed(_MORE)


def _again(font):
    """Return what fetches a font."""
    return "Repeat the training" if font in MORE_FONTS else "Run `hcr data fetch font-lines`"


def find(font):
    """Return (place, path) of a font's archive, valid or not; place: "HCR_DATA", "cache", or "" if it is missing."""
    roots = {"HCR_DATA": paths.data_root(), "cache": paths.cache_root()}
    found = ((place, root / "fonts" / font.archive) for place, root in roots.items() if root)
    return next(((place, path) for place, path in found if path.is_file()), ("", None))


def checked(font):
    """Return the bytes of a font's archive. DataError: it is missing, unreadable or another file."""
    place, path = find(font)
    if not place:
        raise DataError(f"The font {font.name} is not on this machine", hint=_again(font))
    with as_data_error(path):
        data = path.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != font.sha256:
        what, hint = (
            f"Not version {font.version} of the font {font.name}",
            f"Delete it. {_again(font)}",
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
        hint = f"Check the network and `npm ping`. {_again(fonts[0])}: it goes on where it broke off. "
        hint += f"Or put the archives of the packages ({fonts[0].archive}, ...) into HCR_DATA/fonts"
        raise DataError("npm did not bring these fonts", expected=", ".join(wrong), got=said or "nothing", hint=hint)


def _npm(packages, folder):
    """Download packages into a folder with `npm pack`; return what npm said if it failed, else ""."""
    npm = shutil.which("npm")
    if npm is None:
        hint = "Install Node.js, which brings it, and try again; or put the archives of the packages "
        hint += f"@fontsource/NAME into HCR_DATA/fonts, named as fontsource-{packages[0].split('/')[1].replace('@', '-')}.tgz"
        raise DataError("The fonts come with npm, which is not installed", expected="npm in PATH", hint=hint)
    command = [npm, "pack", *OPTIONS, "--pack-destination", folder, *packages]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {TIMEOUT_S} s"
    said = [line for line in done.stderr.splitlines() if line.strip() and "complete log" not in line]
    return "; ".join(said[:3]) if done.returncode else ""
