//! Rules, laws and stories of procurement.
