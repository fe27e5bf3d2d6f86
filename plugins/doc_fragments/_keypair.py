# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twin of KEYPAIR in module_utils/_options/groups.py.

Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations


class ModuleDocFragment:
    """What a wished key pair is."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) generates the pair where it is missing, and compares it where it is there.
      - V(absent) destroys both halves. The size, exponent or curve that is given must be that of the pair.
    type: str
    default: present
    choices:
      - present
      - absent
  label:
    description:
      - Label of both halves, 1 to 127 bytes of UTF-8. Labels need not be unique on a token; where they are not,
        give O(id) too.
      - With O(state=absent) or O(on_mismatch=keep) it may be longer.
      - Required for O(state=present). The flag C(-l) of the commands.
    type: raw
    aliases:
      - l
  id:
    description:
      - Identifier of both halves (C(CKA_ID)) as a text, stored as UTF-8. It must be unique among the key pairs of
        the token.
      - A pair is found by its id if one is given, else by label and key type. Without an id a random one is drawn
        for a new pair.
      - The flag C(-id) of the commands. Quote it if it looks like a number.
    type: raw
  id_hex:
    description:
      - Identifier of both halves as bytes in hexadecimal digits, with or without colons.
    type: raw
  fingerprint:
    description:
      - SHA-256 of the public key (SubjectPublicKeyInfo in DER) in hexadecimal digits, as returned in
        RV(key_pair.fingerprint).
      - Names one existing pair or half exactly, where label and id do not suffice. A missing pair is refused then.
    type: raw
  session:
    description:
      - Generate a pair that lives as long as this module's session only. It is proven, its public key is returned,
        and it is gone when the module ends. Such a task is always changed.
      - It cannot be made persistent by a later task, because it no longer exists then. The flag C(-sess) of the
        commands.
    type: bool
    default: false
    aliases:
      - sess
  extractable:
    description:
      - Whether the private key may leave the HSM wrapped under another key.
      - If not given, a new private key is extractable, as the commands make it, and an existing one is not compared. A
        token that makes only keys which are not is told in a warning.
      - V(false) is the flag C(-nex) of the commands. An existing key can be made non-extractable, never the reverse.
      - The private key is always sensitive, which only stops it from being read directly. Unless
        C(wrap_with_trusted) is set, whoever has the PIN can wrap an extractable key under a wrapping key of their
        own and so carry it out in clear. Set V(false) in production.
    type: bool
  nex:
    description:
      - The flag C(-nex) of the commands. V(true) is the same as O(extractable=false), and V(false) as
        O(extractable=true).
    type: bool
  usage:
    description:
      - What the pair may be used for. What is not listed is set to false.
      - V(sign) sets C(CKA_SIGN) on the private half and C(CKA_VERIFY) on the public one.
      - V(decrypt) sets C(CKA_DECRYPT) on the private half and C(CKA_ENCRYPT) on the public one.
      - V(wrap) sets C(CKA_UNWRAP) on the private half and C(CKA_WRAP) on the public one.
      - V(derive) sets C(CKA_DERIVE) on the private half.
      - RSA pairs derive nothing, and ECC pairs neither decrypt nor wrap.
      - If not given, a new RSA pair may sign, decrypt, and wrap, a new ECC pair may sign, and an existing pair is
        not compared.
      - V(decrypt) and V(wrap) together are a risk. Whoever may use such a pair can wrap an extractable key under
        the public half and decrypt it to clear with the private half.
    type: list
    elements: str
    choices:
      - sign
      - decrypt
      - wrap
      - derive
  allowed_mechanisms:
    description:
      - The only mechanisms that the private key may be used with (C(CKA_ALLOWED_MECHANISMS)), by name, for instance
        V(CKM_SHA256_RSA_PKCS), or by number as C(0x…).
    type: list
    elements: str
  key_gen_mechanism:
    description:
      - The mechanism that generates the pair, where a vendor needs its own, by name or by number as C(0x…).
    type: str
  on_mismatch:
    description:
      - What to do when the pair exists and differs in what cannot be changed in place (its size, its curve, an
        attribute that goes one way).
      - V(fail) lists each difference. V(keep) leaves the pair as it is, with a warning. It also takes sizes, exponents,
        curves and labels that no new pair may have, and is refused where there is no such pair.
      - V(replace) generates and proves another pair under a provisional name, and only then destroys the old one.
        The old key is gone for good.
      - What the task does not say of the new pair comes from the old one. That is O(extractable), what it may be used
        for as far as the new type of key can, the attributes, O(allowed_mechanisms) and O(share_with). Mechanisms that
        are not for the new type of key are refused.
    type: str
    default: fail
    choices:
      - fail
      - keep
      - replace
  share_with:
    description:
      - The crypto users who may use the private key, besides its owner. If not given, an existing pair is not
        compared; a list means exactly these, an empty one nobody. PKCS#11 has no sharing, so O(provider=pkcs11)
        refuses it.
      - The CloudHSM CLI knows users by name. Names do not differ by case.
      - The flag C(-u) of the commands.
    type: list
    elements: raw
    aliases:
      - u
  quorum:
    description:
      - How many users must approve each use of the private key, 2 to 8, at most the number of O(share_with) and the
        owner. V(0), the default of the commands, is the same as leaving it out. One user alone is no quorum.
      - PKCS#11 has no quorum, so O(provider=pkcs11) refuses it.
      - It is fixed at generation. A pair with a quorum cannot be proven, changed, shared or replaced by a task, since
        that needs the users' signatures.
      - The flag C(-m_value) of the commands.
    type: int
    aliases:
      - m_value
  management_quorum:
    description:
      - How many users must approve a change of the private key or of its sharing, 2 to 8, where that is another number
        than O(quorum), which it needs. If not given, O(quorum) holds for both. O(provider=cloudhsm_cli) only.
      - It is fixed at generation.
    type: int
  attest:
    description:
      - Ask the HSM for an attestation. PKCS#11 and the CloudHSM CLI have none, so O(provider=pkcs11) and
        O(provider=cloudhsm_cli) refuse it; see O(expect_token).
      - The flag C(-attest) of the commands.
    type: bool
    default: false
notes:
  - Two tasks on one host never generate the same pair twice, they wait for each other. Where two hosts do it at the
    same moment, each sees the other's pair before it returns, removes its own, and looks again.
  - An error of a search is never taken for absence, and a half pair, a duplicate, or halves that do not belong
    together are refused and listed.
"""

    # What a list of pairs has once for all of them (FOR_ALL_PAIRS).
    CERTIFICATES = r"""
options:
  certificates:
    description:
      - What becomes of certificates on the token that have the identifier of a pair which is replaced, removed, or
        given another identifier. Programs join a certificate to a key by the identifier. One that stays behind is taken
        for that of the next key that gets it.
      - V(fail) refuses and names them. V(keep) leaves them as they are. V(follow) gives them the new identifier, or
        removes them once the pair is gone. M(cryptoki.hsm.hsm_certificate_object) stores the one of a new key.
      - They are looked for only where one of this is to happen. The tools of clusters know no certificates, so there
        are none.
    type: str
    default: fail
    choices:
      - fail
      - keep
      - follow
"""

    HALVES = r"""
options:
  private_attributes:
    description:
      - Attributes of the private half. V(true) and V(false) are set and compared, what is not given is neither.
        They win over O(usage).
    type: dict
    suboptions:
      sign:
        description: C(CKA_SIGN).
        type: bool
      sign_recover:
        description: C(CKA_SIGN_RECOVER).
        type: bool
      decrypt:
        description: C(CKA_DECRYPT).
        type: bool
      unwrap:
        description: C(CKA_UNWRAP).
        type: bool
      derive:
        description: C(CKA_DERIVE).
        type: bool
      private:
        description: C(CKA_PRIVATE), whether the object is seen after a login only.
        type: bool
      wrap_with_trusted:
        description: C(CKA_WRAP_WITH_TRUSTED), whether only a trusted key may wrap this one.
        type: bool
      always_authenticate:
        description:
          - C(CKA_ALWAYS_AUTHENTICATE), whether each use asks for the PIN.
          - The PIN of the task is given for each proof of such a pair, and for each certificate that it signs. Where
            there is none, because the login is one at a PIN pad, the pair is not proven.
          - A pair that is there already is proven if C(verify=true). Some devices have another PIN for each use, and a
            wrong one in every run would lock it.
        type: bool
      modifiable:
        description: C(CKA_MODIFIABLE). V(false) is set last and cannot be taken back.
        type: bool
      copyable:
        description: C(CKA_COPYABLE). V(false) is set last and cannot be taken back.
        type: bool
      destroyable:
        description:
          - C(CKA_DESTROYABLE). V(false) is set last; the key cannot be removed any more, not even by
            this module.
        type: bool
  public_attributes:
    description:
      - Attributes of the public half, as O(private_attributes).
    type: dict
    suboptions:
      verify:
        description: C(CKA_VERIFY).
        type: bool
      verify_recover:
        description: C(CKA_VERIFY_RECOVER).
        type: bool
      encrypt:
        description: C(CKA_ENCRYPT).
        type: bool
      wrap:
        description: C(CKA_WRAP).
        type: bool
      derive:
        description: C(CKA_DERIVE).
        type: bool
      private:
        description: C(CKA_PRIVATE), whether the object is seen after a login only.
        type: bool
      trusted:
        description: C(CKA_TRUSTED). It is compared only, since the security officer alone can set it.
        type: bool
      modifiable:
        description: C(CKA_MODIFIABLE). V(false) is set last and cannot be taken back.
        type: bool
      copyable:
        description: C(CKA_COPYABLE). V(false) is set last and cannot be taken back.
        type: bool
      destroyable:
        description: C(CKA_DESTROYABLE). V(false) is set last; the key cannot be removed any more.
        type: bool
"""

    FOR_ALL = r"""
options:
  verify:
    description:
      - If not given, a new pair is proven where that is possible. The private half signs, decrypts, or derives
        inside the token and the result is checked outside with the public key. The returned C(verified) names
        the mechanism.
      - An existing pair is proven in every run, in check mode too, where only an id joins its halves (mostly ECC),
        because whoever can write public objects can put a public key of his own beside a private one. What cannot be
        proven is returned with the reason, and a warning where the token refuses. Nothing is proven there if
        the task names the public half by its fingerprint. A pair that only derives is not proven in check mode.
      - V(true) fails where a proof is not possible, and proves every existing pair. V(false) proves nothing.
    type: bool
  min_servers:
    description:
      - On how many HSMs the pair must exist. If fewer have it in the end, what this run made is removed again and the
        task fails.
      - With O(replicas) it counts the token of the task and the replicas; if not given, all of them. Without, one
        token is one server.
      - The flag C(-min_srv) of the commands.
    type: int
    aliases:
      - min_srv
  wrapping_key:
    description:
      - Label of an AES key that is on every token, under which the private key is copied to O(replicas). A pair with
        C(wrap_with_trusted) needs one, with C(CKA_TRUSTED) set by the security officer.
      - If not given, the tokens agree on a key that is gone afterwards.
    type: str
"""

    RETURNED = r"""
options:
  return_attributes:
    description:
      - The attributes of each half to return, all if not given. What is compared and proven does not depend on it.
      - With few of them the result of an ad-hoc task fits a screen, and that of many pairs is much smaller.
    type: list
    elements: str
    choices:
      - allowed_mechanisms
      - always_authenticate
      - always_sensitive
      - class
      - copyable
      - decrypt
      - derive
      - destroyable
      - ec_params
      - ec_point
      - encrypt
      - extractable
      - id
      - id_hex
      - kcv
      - key_gen_mechanism
      - key_type
      - label
      - local
      - modifiable
      - modulus
      - modulus_bits
      - never_extractable
      - private
      - public_exponent
      - sensitive
      - sign
      - sign_recover
      - token
      - trusted
      - unwrap
      - value_len
      - verify
      - verify_recover
      - wrap
      - wrap_with_trusted
"""

    REPLICAS = r"""
options:
  timeout:
    description:
      - How many seconds the work on a pair may take before a token counts as failed, with O(replicas); a token that
        fails earlier is tried again until then, but never a login that failed. With a cluster's tool, how many
        seconds to wait for C(min_servers). It needs one of the two.
      - If not given, there is one attempt for each token of O(replicas), however long it takes. With a cluster's tool a
        pair that was there before is looked at once then; how long a new one is waited for stands in the tool's guide.
        Check mode never waits.
      - The flag C(-timeout) of the commands.
    type: int
  replicas:
    description:
      - Further tokens that hold the same pair. The pair is generated on the token of the task and copied, always
        wrapped by keys that only the two HSMs have; each copy is proven. A pair that a later run finds on some of the
        tokens is copied to the others, if it is still extractable.
      - Each is reached by options of its own. The environment and the other options of the task are not used for it.
      - A pair that shall be absent is removed from every token. One that cannot be reached is a failure.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the replica in results and messages.
        type: str
        required: true
      module_path:
        description: As O(module_path), for this replica.
        type: path
      token_label:
        description: As O(token_label), for this replica.
        type: raw
      token_serial:
        description: As O(token_serial), for this replica.
        type: raw
      slot_id:
        description: As O(slot_id), for this replica.
        type: str
      token_uri:
        description: As O(token_uri), for this replica.
        type: str
      library_environment:
        description: As O(library_environment), for this replica.
        type: dict
      library_parameters:
        description: As O(library_parameters), for this replica.
        type: raw
      vendor:
        description: As O(vendor), for this replica.
        type: str
        default: auto
        choices:
          - auto
          - cloudhsm
          - freehsm
          - generic
          - luna
          - nethsm
          - nshield
          - nss
          - opencryptoki
          - softhsm
          - tpm2
          - yubihsm
      vendor_facts:
        description: As O(vendor_facts), for this replica.
        type: dict
        suboptions:
          set_attribute:
            description: As O(vendor_facts.set_attribute), for this replica.
            type: bool
          copy:
            description: As O(vendor_facts.copy), for this replica.
            type: bool
          copy_sets_copyable:
            description: As O(vendor_facts.copy_sets_copyable), for this replica.
            type: bool
          read_only_sessions:
            description: As O(vendor_facts.read_only_sessions), for this replica.
            type: bool
          composite_pin:
            description: As O(vendor_facts.composite_pin), for this replica.
            type: bool
          certificates:
            description: As O(vendor_facts.certificates), for this replica.
            type: bool
          threads:
            description: As O(vendor_facts.threads), for this replica.
            type: bool
          login_each_session:
            description: As O(vendor_facts.login_each_session), for this replica.
            type: bool
          label_is_id:
            description: As O(vendor_facts.label_is_id), for this replica.
            type: bool
          halves_are_one:
            description: As O(vendor_facts.halves_are_one), for this replica.
            type: bool
          id_length:
            description: As O(vendor_facts.id_length), for this replica.
            type: int
          id_max:
            description: As O(vendor_facts.id_max), for this replica.
            type: int
          label_max:
            description: As O(vendor_facts.label_max), for this replica.
            type: int
          curves:
            description: As O(vendor_facts.curves), for this replica.
            type: list
            elements: str
          fixed:
            description: As O(vendor_facts.fixed), for this replica.
            type: list
            elements: str
          not_searched:
            description: As O(vendor_facts.not_searched), for this replica.
            type: list
            elements: str
          not_sent_private:
            description: As O(vendor_facts.not_sent_private), for this replica.
            type: list
            elements: str
          not_sent_public:
            description: As O(vendor_facts.not_sent_public), for this replica.
            type: list
            elements: str
          only_true_private:
            description: As O(vendor_facts.only_true_private), for this replica.
            type: list
            elements: str
          only_true_public:
            description: As O(vendor_facts.only_true_public), for this replica.
            type: list
            elements: str
      user_type:
        description: As O(user_type), for this replica.
        type: str
        default: user
        choices:
          - user
          - limited_user
      crypto_user:
        description: As O(crypto_user), for this replica.
        type: raw
      pin:
        description: As O(pin), for this replica.
        type: raw
      pin_file:
        description: As O(pin_file), for this replica.
        type: path
      force_login:
        description: As O(force_login), for this replica.
        type: bool
        default: false
      expect_token:
        description: As O(expect_token), for this replica.
        type: dict
        suboptions:
          library_sha256:
            description: As O(expect_token.library_sha256), for this replica.
            type: str
          manufacturer:
            description: As O(expect_token.manufacturer), for this replica.
            type: str
          model:
            description: As O(expect_token.model), for this replica.
            type: str
          serial:
            description: As O(expect_token.serial), for this replica.
            type: raw
          hardware_version:
            description: As O(expect_token.hardware_version), for this replica.
            type: raw
          firmware_version:
            description: As O(expect_token.firmware_version), for this replica.
            type: raw
          firmware_id:
            description: As O(expect_token.firmware_id), for this replica.
            type: raw
          fips_state:
            description: As O(expect_token.fips_state), for this replica.
            type: raw
"""
