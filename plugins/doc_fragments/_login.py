# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twin of LOGIN in module_utils/_options/groups.py.

Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations


class ModuleDocFragment:
    """How a token is reached and logged in to."""

    DOCUMENTATION = r"""
options:
  provider:
    description:
      - The way to the HSM. C(pkcs11) loads any vendor's PKCS#11 library.
      - C(cloudhsm_cli) drives the CloudHSM CLI of AWS, C(key_mgmt_util) the tool of that name and its relatives of
        Azure Cloud HSM and Alibaba Cloud. They need no PKCS#11 library, and share keys with other users.
    type: str
    default: pkcs11
    choices:
      - pkcs11
      - cloudhsm_cli
      - key_mgmt_util
  executable:
    description:
      - The cluster's tool, for the providers that drive one, as an absolute path. Refused with O(provider=pkcs11).
      - If not given, it is C(/opt/cloudhsm/bin/cloudhsm-cli) with O(provider=cloudhsm_cli), and
        C(/opt/cloudhsm/bin/key_mgmt_util) with O(provider=key_mgmt_util).
    type: path
  module_path:
    description:
      - The vendor's PKCS#11 library on the target, for instance C(/usr/lib/softhsm/libsofthsm2.so).
      - If not given, the environment variable E(PKCS11_MODULE) of the module's process is used, or C(module-path) in
        O(token_uri).
    type: path
  token_label:
    description:
      - Label of the token.
      - Give exactly one of O(token_label), O(token_serial), O(slot_id), and O(token_uri). If none is given, the
        environment variable E(HSM_TOKEN_LABEL) is used.
      - Two tokens that match are an error, which lists them.
      - With O(provider=cloudhsm_cli) it is the id of the cluster (C(cluster-…)), needed where several are configured
        on the target; no variable stands in for it.
    type: raw
  token_serial:
    description:
      - Serial number of the token. Quote it, since YAML makes a number of it otherwise.
    type: raw
  slot_id:
    description:
      - Number of the slot. Many libraries number their slots anew when something is plugged in or initialised, so
        prefer the label or the serial number.
      - Decimal, or as C(0x…), which is how C(pkcs11-tool --list-slots) prints it in brackets; the number before it only
        counts the slots. In a URI it is decimal.
    type: str
  token_uri:
    description:
      - RFC 7512 URI that names the token, for instance C(pkcs11:token=root;serial=1234). C(pin-value) and
        C(pin-source) in it are refused.
    type: str
  library_environment:
    description:
      - Environment variables that are set in the module's process before the library is loaded, for instance
        C(SOFTHSM2_CONF) or the vendor's own. Values are texts; quote numbers.
      - The values are masked wherever they occur in what is shown, but for variables that are known to hold no secret.
        The guide to the login lists them.
    type: dict
  library_parameters:
    description:
      - Text that the library gets with C(C_Initialize), as C(pReserved). Few libraries take one. NSS softokn needs it,
        for instance C(configdir='sql:/etc/pki/nssdb' certPrefix='' keyPrefix='' secmod='secmod.db' flags=).
      - It is masked wherever it occurs in what is shown, unless it holds nothing but parameters that are known to be no
        secret. The guide to the login lists them.
    type: raw
  vendor:
    description:
      - Whose library it is, where libraries differ. V(auto) goes by the library's own description.
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
    description:
      - What is known of the library, where it differs from the standard and the table of vendors does not know it. What
        is given here takes the place of the same fact in the row of O(vendor), lists as a whole; the rest stays. With
        O(vendor=generic) it is laid over what the standard says.
      - M(cryptoki.hsm.hsm_token_info) returns the facts in use and where they come from. Try them on a token for tests.
    type: dict
    suboptions:
      set_attribute:
        description:
          - Whether the token changes attributes of a key (C(C_SetAttributeValue)). V(false) where it answers
            C(CKR_FUNCTION_NOT_SUPPORTED) or C(CKR_ACTION_PROHIBITED) to every change.
        type: bool
      copy:
        description:
          - Whether the token copies keys (C(C_CopyObject)). V(false) where it answers C(CKR_FUNCTION_NOT_SUPPORTED).
        type: bool
      copy_sets_copyable:
        description:
          - Whether a copy may be made that is not C(copyable). V(false) where such a copy is answered by
            C(CKR_ATTRIBUTE_READ_ONLY).
        type: bool
      read_only_sessions:
        description:
          - Whether a session may be opened for reading only. V(false) where it is answered by
            C(CKR_SESSION_READ_ONLY_EXISTS), C(CKR_ARGUMENTS_BAD) or the like.
        type: bool
      composite_pin:
        description:
          - Whether the PIN is C(user:password), so that a login without a user is refused before it is tried.
        type: bool
      certificates:
        description:
          - Whether the token has certificate objects. V(false) where a search for them is an error other than
            C(CKR_ATTRIBUTE_VALUE_INVALID) and C(CKR_TEMPLATE_INCONSISTENT); none is looked for then.
        type: bool
      threads:
        description:
          - Whether several threads may work with the library at once. V(false) where parallel work ends in crashes.
        type: bool
      login_each_session:
        description:
          - Whether a login counts for its session only, so that each session of parallel work has to log in. V(true)
            where parallel work is answered by C(CKR_USER_NOT_LOGGED_IN), as NetHSM does. The first of these logins
            that is refused is the last one that is tried.
        type: bool
      label_is_id:
        description:
          - Whether a key has one name, which is its label and its id. V(true) where a new pair has its label as id, or
            the id as label, as on NetHSM. An id that is not the label is refused then, and none is drawn.
        type: bool
      halves_are_one:
        description:
          - Whether both halves of a pair are one object of the HSM. V(true) where the public half goes with the private
            one, or cannot be removed by itself, as on NetHSM and YubiHSM 2. The removal of one half by
            M(cryptoki.hsm.hsm_key) is refused then.
        type: bool
      id_length:
        description:
          - Bytes of the id that is drawn for a pair without one. V(0) where the token draws ids itself. If only
            O(vendor_facts.id_max) is given, it is at most that.
        type: int
      id_max:
        description:
          - Bytes of the longest id, V(0) for no limit. Needed where an id is answered by
            C(CKR_ATTRIBUTE_VALUE_INVALID) or C(CKR_DATA_LEN_RANGE).
        type: int
      label_max:
        description:
          - Bytes of the longest label, V(0) for no limit. Needed for the same answers.
        type: int
      curves:
        description:
          - The only curves that the token has. Another one is refused before the token is asked.
        type: list
        elements: str
      fixed:
        description:
          - Attributes that the token does not change although it changes others, which it answers by
            C(CKR_ATTRIBUTE_READ_ONLY).
        type: list
        elements: str
      not_searched:
        description:
          - Attributes that no search may go by, of C(ec_point), C(id), C(key_type), C(label), C(modulus) and C(token).
            Needed where a search is answered by C(CKR_TEMPLATE_INCONSISTENT) or C(CKR_ATTRIBUTE_TYPE_INVALID), or where
            the token ignores one of them (a task then fails and names it) or then finds nothing. If one is given, each
            key that a search finds is read and compared. A search that is then answered by
            C(CKR_ATTRIBUTE_VALUE_INVALID) is made among all keys.
        type: list
        elements: str
      not_sent_private:
        description:
          - Attributes that no template of a private key may hold, whatever their value. Needed where a generation is
            answered by C(CKR_ATTRIBUTE_TYPE_INVALID), C(CKR_TEMPLATE_INCONSISTENT) or C(CKR_GENERAL_ERROR), as NSS
            does for C(copyable). What protects the key is always sent. A use among them that a task asks for by
            name is refused before the login.
        type: list
        elements: str
      not_sent_public:
        description:
          - The same for a public key.
        type: list
        elements: str
      only_true_private:
        description:
          - Attributes that a template of a private key may hold as true only. Needed where a generation is answered
            by C(CKR_ATTRIBUTE_VALUE_INVALID), or where the presence of C(unwrap) is taken for true.
        type: list
        elements: str
      only_true_public:
        description:
          - The same for a public key.
        type: list
        elements: str
  user_type:
    description:
      - As whom to log in. V(limited_user) is the Crypto User of Luna (C(CKU_LIMITED_USER), V(0x80000001)), whose PIN is
        then O(pin) or O(pin_file).
      - A limited user sees and uses keys. Tasks that may generate, change or remove one are refused before the login,
        unless they run in check mode. M(cryptoki.hsm.hsm_key_info), M(cryptoki.hsm.hsm_token_info),
        M(cryptoki.hsm.hsm_csr) and M(cryptoki.hsm.hsm_certificate) always work.
    type: str
    default: user
    choices:
      - user
      - limited_user
  crypto_user:
    description:
      - Name of the crypto user (CU), where the HSM has users. The PIN is then passed to PKCS#11 as
        C(crypto_user:pin), as AWS CloudHSM wants it.
      - With a cluster's tool it owns the keys. Only its own keys are managed, those of others are no concern.
      - If none of O(crypto_user), O(pin), and O(pin_file) is given, the environment variables E(HSM_CRYPTO_USER),
        E(HSM_PIN), and E(HSM_PIN_FILE) are used.
    type: raw
  pin:
    description:
      - The user PIN or password. Quote it, since YAML makes C(42798) of C(0123456).
      - May be left out where the token needs no login or has a PIN pad.
      - Do not pass a PIN by the task keyword C(environment), because Ansible puts that on a command line.
      - A login is tried once and never repeated, because PINs lock.
    type: raw
  pin_file:
    description:
      - File on the target that holds the PIN in one line. The newline at its end is stripped. Because PINs lock, a byte
        order mark, a second line, and a blank at the end are refused.
    type: path
  force_login:
    description:
      - Log in although a wrong PIN would lock it now (C(CKF_USER_PIN_FINAL_TRY)).
    type: bool
    default: false
  expect_token:
    description:
      - Values that the token and the library must have; they are compared in every run, check mode included, before
        the login. This is identity, not attestation.
      - M(cryptoki.hsm.hsm_token_info) returns the values to pin.
    type: dict
    suboptions:
      library_sha256:
        description: SHA-256 of the file O(module_path), in hexadecimal digits, with or without colons. PKCS#11 only.
        type: str
      manufacturer:
        description: Manufacturer of the token.
        type: str
      model:
        description: Model of the token.
        type: str
      serial:
        description: Serial number of the token.
        type: raw
      hardware_version:
        description: Hardware version of the token, for instance V("2.6").
        type: raw
      firmware_version:
        description: Firmware version of the token.
        type: raw
      firmware_id:
        description: Firmware of the HSM, for O(provider=cloudhsm_cli) only.
        type: raw
      fips_state:
        description: FIPS state of the HSM, or its number, for O(provider=cloudhsm_cli) only.
        type: raw
  lock_timeout:
    description:
      - How many seconds to wait for other tasks on the same host that use the same token. The error names the
        process that holds the lock.
    type: int
    default: 300
  lock_folder:
    description:
      - Folder for the files by which tasks on the same host lock each other out. All tasks that use a token must agree
        on it, whoever runs them, and all their users must be able to write there.
      - If it is not given, it is C(/run/lock) if everybody may write there and it is not mounted read-only, else
        C(/tmp).
    type: path
requirements:
  - Python >= 3.10 on the target
  - python-pkcs11 >= 0.10 on the target, with O(provider=pkcs11)
  - the CloudHSM CLI >= 5.10, configured, and asn1crypto on the target, with O(provider=cloudhsm_cli)
  - the cluster's tool, pexpect, and asn1crypto on the target, with O(provider=key_mgmt_util)
  - cryptography >= 41 on the target
"""
